// Audit middleware for Express: one entry for each request, stored by a local collector
// (`chained-logging collect`) before the last byte of the response goes out.
//
// The fields and the rules for the result are those of chained_logging.integrations.asgi.

"use strict";

const { createHash, randomUUID } = require("node:crypto");
const net = require("node:net");

const ACTIONS = {
  GET: "read", HEAD: "read", QUERY: "read",
  POST: "create", PUT: "write", PATCH: "write", DELETE: "delete",
};
const CLIENT_GONE = "the client was gone";
const UNFINISHED = "the answer was not finished";
const REQUEST_ID = /^[!-~]{1,128}$/;

/** A connection to a collector that keeps each event until it is acknowledged.
 *
 * When the collector goes away, all that it did not acknowledge is sent again to the next one,
 * under the same idempotency key, so that it is stored once.
 */
class Collector {
  /** @param {string} path of the collector's socket
   *  @param {object} options `timeout`: milliseconds that an event may wait for its
   *    acknowledgement; `outstanding`: how many events may wait at once */
  constructor(path, { timeout = 10_000, outstanding = 10_000 } = {}) {
    this.path = path;
    this.timeout = timeout;
    this.outstanding = outstanding;
    this.waiting = new Set(); // in the order of their coming
    this.sent = []; // what the connection has taken, in the order of the answers
    this.socket = null;
    this.connected = false;
    this.buffer = "";
  }

  /** Store an event. Resolves to the collector's answer: `id`, `seq` and `hash`.
   *  Rejects if the collector refuses the event, or does not answer in time. */
  append(event) {
    if (this.waiting.size >= this.outstanding) {
      return Promise.reject(new Error("too many audit events wait for the collector"));
    }
    return new Promise((resolve, reject) => {
      const line = JSON.stringify({ ...event, idempotency_key: randomUUID() }) + "\n";
      const item = { line, resolve, reject };
      item.timer = setTimeout(
        () => this.settle(item, new Error("the audit collector did not answer in time")),
        this.timeout,
      );
      this.waiting.add(item);
      if (this.connected) this.send(item);
      else this.connect();
    });
  }

  connect() {
    if (this.socket) return;
    const socket = net.createConnection(this.path);
    this.socket = socket;
    socket.setEncoding("utf8");
    socket.on("connect", () => {
      this.connected = true;
      for (const item of this.waiting) this.send(item);
    });
    socket.on("data", (data) => this.receive(data));
    socket.on("error", () => {}); // "close" follows
    socket.on("close", () => {
      this.socket = null;
      this.connected = false;
      this.sent = [];
      this.buffer = "";
      if (this.waiting.size > 0) setTimeout(() => this.connect(), 50);
    });
  }

  send(item) {
    this.sent.push(item);
    this.socket.write(item.line);
  }

  receive(data) {
    const lines = (this.buffer + data).split("\n");
    this.buffer = lines.pop();
    for (const line of lines) {
      const answer = JSON.parse(line);
      const item = this.sent.shift();
      if (item === undefined) this.socket.destroy(); // "too many connections": come again
      else if (answer.retry) setTimeout(() => this.again(item), 100);
      else this.settle(item, answer.error ? new Error(`audit: ${answer.error}`) : null, answer);
    }
  }

  again(item) {
    if (this.waiting.has(item) && this.connected && !this.sent.includes(item)) this.send(item);
  }

  settle(item, error, answer) {
    clearTimeout(item.timer);
    if (!this.waiting.delete(item)) return;
    if (error) item.reject(error);
    else item.resolve(answer);
  }

  /** Resolve once nothing waits any more, and close the connection. */
  async close() {
    while (this.waiting.size > 0) await new Promise((done) => setTimeout(done, 10));
    if (this.socket) this.socket.destroy();
  }
}

/** Make the middleware. It belongs before all others.
 *
 * @param {Collector} collector
 * @param {object} options
 *   `actor(req)`: who makes the request, an id or `{id, type}`; asked when it is answered;
 *   `sessionCookie`: the name of a cookie whose SHA-256 becomes the `session_id`;
 *   `exclude`: paths that are left out;
 *   `onFailure`: what a response becomes whose entry cannot be stored. "destroy": the connection
 *     is closed, so that no client has an answer that the log does not have; "continue": it is
 *     sent all the same, and a warning goes to standard error.
 * The client's address is `req.ip`: set Express's "trust proxy" to the proxies that you trust.
 */
function audit(
  collector,
  { actor = () => null, sessionCookie = null, exclude = ["/health"], onFailure = "destroy" } = {},
) {
  return function auditMiddleware(req, res, next) {
    const path = req.path;
    if (exclude.includes(path)) return next();
    const began = process.hrtime.bigint();
    const given = req.get("x-request-id") ?? "";
    const requestId = REQUEST_ID.test(given) ? given : randomUUID();
    const { write, end } = res;
    let recorded = null; // the promise of the entry
    let whole = false; // whether the client has all of it with what is held
    let ended = false;
    let sent = 0;
    let held = [];

    const who = () => {
      const id = actor(req);
      if (id === null || id === undefined) return { actor_id: "anonymous", actor_type: "user" };
      return typeof id === "object"
        ? { actor_id: id.id, actor_type: id.type ?? "user" }
        : { actor_id: String(id), actor_type: "user" };
    };

    const common = () => {
      const fields = { ...who(), ip_address: req.ip, request_id: requestId };
      if (req.get("user-agent")) fields.user_agent = req.get("user-agent");
      const session = sessionCookie && cookie(req.get("cookie"), sessionCookie);
      if (session) fields.session_id = createHash("sha256").update(session).digest("hex");
      return fields;
    };

    const event = (cause) => {
      const status = res.headersSent || ended ? res.statusCode : undefined;
      const duration = Number(process.hrtime.bigint() - began) / 1e6;
      const fields = {
        ...common(),
        action: ACTIONS[req.method] ?? req.method.toLowerCase(),
        ...resourceOf(req, path),
        result: cause ? "failure" : resultOf(status),
        duration_ms: Math.round(duration),
        method: req.method,
        http_status: status,
      };
      const route = templateOf(req);
      if (route) fields.route = route;
      const query = req.originalUrl.indexOf("?");
      if (query >= 0) fields.query = req.originalUrl.slice(query + 1); // the log redacts it
      const error = res.locals.auditError;
      if (cause) fields.cause = cause;
      if (error) {
        fields.exception = { type: error.name, message: String(error.message) };
        fields.result = "failure";
      }
      return Object.assign(fields, res.locals.audit);
    };

    const record = (cause = null) => (recorded ??= collector.append(event(cause)));

    const failed = (error) => {
      process.emitWarning(`audit log: ${error.message}`);
      if (onFailure === "continue") return true;
      held = [];
      res.destroy();
      return false;
    };

    const release = () => {
      for (const args of held) write.apply(res, args);
      held = [];
    };

    const known = () => {
      const length = res.getHeader("content-length");
      return length === undefined ? null : Number(length);
    };

    // The client has the whole answer with the chunk that reaches Content-Length, or, without
    // one, at the end. That is held back until the entry is stored.
    res.write = function (chunk, encoding, callback) {
      if (typeof encoding === "function") [encoding, callback] = [undefined, encoding];
      sent += sizeOf(chunk, encoding);
      const length = known();
      if (!whole && (length === null || sent < length)) {
        return write.call(res, chunk, encoding, callback);
      }
      held.push([chunk, encoding, callback]);
      if (!whole) {
        whole = true;
        if (!res.headersSent) res.writeHead(res.statusCode);
        record().then(release, (error) => failed(error) && release());
      }
      return true;
    };

    res.end = function (chunk, encoding, callback) {
      if (typeof chunk === "function") [chunk, callback] = [undefined, chunk];
      else if (typeof encoding === "function") [encoding, callback] = [undefined, encoding];
      if (ended) return res;
      ended = true;
      const size = sizeOf(chunk, encoding);
      const bodiless = req.method === "HEAD" || res.statusCode === 204 || res.statusCode === 304;
      if (!res.headersSent) {
        // From here on nobody can change what the entry says.
        if (known() === null && !res.hasHeader("transfer-encoding") && !bodiless) {
          res.setHeader("content-length", size);
        }
        res.writeHead(res.statusCode);
      }
      sent += size;
      const short = !bodiless && known() !== null && sent < known();
      const finish = () => {
        release();
        end.call(res, chunk, encoding, callback);
      };
      record(short ? UNFINISHED : null).then(finish, (error) => failed(error) && finish());
      return res;
    };

    res.on("close", () => {
      if (recorded === null) record(CLIENT_GONE).catch(failed);
    });

    /** Store an entry of its own from inside a handler, with the request's actor and address. */
    req.audit = (fields) => collector.append({ ...common(), ...fields });
    next();
  };
}

/** Name the resource and the action of a route: `app.get("/p/:id", named("patient", {id: "id"}))`.
 */
function named(resourceType, { id = null, action = null } = {}) {
  return (req, res, next) => {
    const fields = { resource_type: resourceType, resource_id: id ? req.params[id] ?? "*" : "*" };
    res.locals.audit = { ...res.locals.audit, ...fields, ...(action ? { action } : {}) };
    next();
  };
}

/** Note what went wrong: an error handler that belongs before all other error handlers. */
function noteError(error, req, res, next) {
  const status = error?.status ?? error?.statusCode;
  if (!(status < 500)) res.locals.auditError = error;
  next(error);
}

function resultOf(status) {
  if (status === 401 || status === 403) return "denied";
  return status < 400 ? "success" : "failure";
}

/** "/patients/:id" becomes "/patients/{id}". */
function templateOf(req) {
  if (!req.route || typeof req.route.path !== "string") return null;
  return (req.baseUrl + req.route.path).replace(/[:*](\w+)/g, "{$1}");
}

/** The last parameter is the id, and the literal before it the type; literals behind it belong to
 *  the type. Without a parameter it is the whole collection, without a route the path itself. */
function resourceOf(req, path) {
  let type = "";
  let name = null;
  let tail = [];
  for (const segment of (templateOf(req) ?? "").split("/").filter(Boolean)) {
    const found = /\{(\w+)\}/.exec(segment);
    if (found) {
      type = tail.at(-1) ?? (type || found[1]);
      name = found[1];
      tail = [];
    } else tail.push(segment);
  }
  if (name === null) {
    if (tail.length === 0) return { resource_type: "path", resource_id: path.slice(0, 1024) };
    return { resource_type: tail.at(-1), resource_id: "*" };
  }
  return { resource_type: [type, ...tail].join("."), resource_id: String(req.params[name] ?? "*") };
}

function sizeOf(chunk, encoding) {
  if (chunk === undefined || chunk === null) return 0;
  return typeof chunk === "string" ? Buffer.byteLength(chunk, encoding) : chunk.byteLength;
}

function cookie(header, name) {
  for (const part of (header ?? "").split(";")) {
    const [key, ...value] = part.trim().split("=");
    if (key === name) return value.join("=");
  }
  return null;
}

module.exports = { Collector, audit, named, noteError };
