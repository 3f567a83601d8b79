// An Express application of which every request is audited.
//
//   chained-logging collect audit.db --socket collector.sock
//   AUDIT_SOCKET=collector.sock node app.js

"use strict";

const express = require("express");
const { Collector, audit, named, noteError } = require("./audit");

const collector = new Collector(process.env.AUDIT_SOCKET ?? "collector.sock", {
  spill: process.env.AUDIT_SPILL ?? null, // keeps events while the collector is away
});
const app = express();

// Any authentication would do: here a header stands for it, or who has just signed in.
const actor = (req) => req.get("x-user") ?? req.user ?? null;

app.disable("x-powered-by");
app.use(audit(collector, { actor, sessionCookie: "session" }));
app.use(express.json());

// A login that fails names the account that was tried; one that succeeds names the actor.
app.post("/login", (req, res) => {
  const { username, password } = req.body ?? {};
  res.locals.audit = { action: "login" };
  if (password === "secret") {
    req.user = username;
    return res.json({ token: username });
  }
  res.locals.audit = { action: "login", result: "failure", account: String(username).slice(0, 256) };
  res.status(401).json({ error: "wrong name or password" });
});

// Who is sent to the login page was denied, although the status is that of a redirect.
const signedIn = (req, res, next) => {
  if (actor(req)) return next();
  res.locals.audit = { ...res.locals.audit, result: "denied" };
  res.redirect("/login?next=" + encodeURIComponent(req.originalUrl));
};
app.get("/accounts/:id", signedIn, (req, res) => res.json({ id: req.params.id }));

app.get("/health", (req, res) => res.send("well"));
app.get("/patients", (req, res) => res.json([456]));
app.get("/patients/:id", (req, res) => res.json({ id: req.params.id, name: "Ann" }));
app.get("/patients/:id/notes", (req, res) => res.json([]));
app.put("/patients/:id", (req, res) => {
  if (!req.get("x-user")) return res.sendStatus(401);
  res.locals.audit = { changed_fields: Object.keys(req.body) };
  res.json(req.body);
});
app.delete("/patients/:id", (req, res) => res.sendStatus(403));
app.get("/p/:key", named("patient_record", { id: "key", action: "export" }), async (req, res) => {
  await req.audit({ action: "lookup", resource: ["index", "patients"] });
  res.status(204).end();
});
app.get("/stream", (req, res) => {
  res.write("one\n");
  setTimeout(() => res.write("two\n"), 20);
  setTimeout(() => res.end("three\n"), 40);
});
app.get("/file", (req, res) => res.sendFile(__filename));
app.get("/never", (req, res) => res.write("and then nothing"));
app.get("/fail", () => {
  throw new TypeError("no such column: password=S3cret");
});

app.use(noteError);
app.use((error, req, res, next) => {
  if (res.headersSent) return next(error);
  res.status(error.status ?? 500).json({ error: "failed" });
});

const server = app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => {
  console.log(`listening on ${server.address().port}`);
});
process.on("SIGTERM", () => {
  server.close(async () => {
    await collector.close();
    process.exit(0);
  });
  server.closeIdleConnections();
});
