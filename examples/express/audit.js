// Audit middleware for Express: one entry for each request, stored by a local collector
// (`chained-logging collect`) before the last byte of the response goes out.
//
// The fields and the rules for the result are those of chained_logging.integrations.asgi.

"use strict";

const { createHash, randomUUID } = require("node:crypto");
const fs = require("node:fs");
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
   *  @param {object} options
   *    `timeout`: milliseconds that an event may wait for its acknowledgement;
   *    `outstanding`: how many events may wait at once;
   *    `spill`: a file, of this process alone, that keeps what is not acknowledged in time. It is
   *      sent once the collector is back, also by a later process;
   *    `spillLimit`: the bytes that it may have */
  constructor(
    path,
    { timeout = 800, outstanding = 10_000, spill = null, spillLimit = 64 * 1024 * 1024 } = {},
  ) {
    this.path = path;
    this.timeout = timeout;
    this.outstanding = outstanding;
    this.spill = spill;
    this.spillLimit = spillLimit;
    this.waiting = new Set(); // in the order of their coming
    this.sent = []; // what the connection has taken, in the order of the answers
    this.socket = null;
    this.connected = false;
    this.away = false; // whether the last attempt to connect failed
    this.closing = false;
    this.pause = 50;
    this.buffer = "";
    this.sending = 0; // lines of the spill that wait
    this.connect();
  }

  /** Store an event. Resolves to the collector's answer: `id`, `seq` and `hash`; or, where the
   *  collector did not answer in time, to `{spilled: true}` once the spill file has the event.
   *  Rejects if the collector refuses the event, or it is nowhere. */
  append(event) {
    const kept = { timestamp: new Date().toISOString(), ...event, idempotency_key: randomUUID() };
    const line = JSON.stringify(kept) + "\n";
    if (this.spill && this.away) return this.keep(line);
    if (this.waiting.size >= this.outstanding) {
      if (this.spill) return this.keep(line);
      return Promise.reject(new Error("too many audit events wait for the collector"));
    }
    return new Promise((resolve, reject) => {
      const item = { line, resolve, reject };
      item.timer = setTimeout(() => this.late(item), this.timeout);
      this.waiting.add(item);
      if (this.connected) this.send(item);
      else this.connect();
    });
  }

  /** Resolve once an event could be stored; reject if that is not so in time. */
  async ready() {
    if (this.connected || this.spill) return;
    const end = Date.now() + this.timeout;
    while (!this.connected) {
      if (Date.now() >= end) throw new Error("the audit collector is away");
      await new Promise((done) => setTimeout(done, 10));
    }
  }

  late(item) {
    const error = new Error("the audit collector did not answer in time");
    if (!this.spill) return this.settle(item, error);
    this.keep(item.line).then(
      (answer) => this.settle(item, null, answer),
      (problem) => this.settle(item, problem),
    );
    setTimeout(() => this.connected && this.unspill(), 1000).unref();
  }

  /** Open a spill file, which must be this user's own: nobody else may say what happened. */
  open(name, flags) {
    const { O_NOFOLLOW, O_NONBLOCK } = fs.constants;
    const file = fs.openSync(name, flags | O_NOFOLLOW | O_NONBLOCK, 0o600);
    const state = fs.fstatSync(file);
    if (!state.isFile() || state.uid !== process.getuid() || state.mode & 0o077) {
      fs.closeSync(file);
      throw new Error(`the spill file ${name} must be this user's own, with mode 0600`);
    }
    return file;
  }

  /** Write a line to the spill file, onto the disk. */
  async keep(line) {
    const { O_APPEND, O_CREAT, O_WRONLY } = fs.constants;
    const file = this.open(this.spill, O_APPEND | O_CREAT | O_WRONLY);
    try {
      if (fs.fstatSync(file).size + line.length > this.spillLimit) {
        throw new Error(`the spill file ${this.spill} is full`);
      }
      fs.writeSync(file, line);
      fs.fsyncSync(file);
    } finally {
      fs.closeSync(file);
    }
    return { spilled: true };
  }

  /** Move the spill file aside, and read it. Null if it does not exist or is not this user's. */
  take(name) {
    let file = null;
    try {
      if (!fs.existsSync(name)) {
        file = this.open(this.spill, fs.constants.O_RDONLY);
        fs.renameSync(this.spill, name);
      } else {
        file = this.open(name, fs.constants.O_RDONLY);
      }
      return fs.readFileSync(file, "utf8");
    } catch (error) {
      if (error.code !== "ENOENT") process.emitWarning(`audit log: ${error.message}`);
      return null;
    } finally {
      if (file !== null) fs.closeSync(file);
    }
  }

  /** Send what a spill file holds. It goes once all of it is acknowledged: what is sent twice,
   *  because this process was killed in between, has the same idempotency keys. */
  unspill() {
    const name = `${this.spill}.sending`;
    if (!this.spill || this.sending > 0) return;
    const text = this.take(name);
    if (text === null) return;
    const lines = text.split("\n");
    lines.pop(); // empty; or a line that was cut off, of a request that was not answered
    this.sending = lines.length;
    const done = (line, error) => {
      if (error) {
        fs.appendFileSync(`${this.spill}.refused`, line, { mode: 0o600 });
        process.emitWarning(`audit log: an event of the spill file was refused: ${error.message}`);
      }
      if (--this.sending <= 0) {
        fs.unlinkSync(name);
        this.unspill();
      }
    };
    if (lines.length === 0) {
      fs.unlinkSync(name);
      return;
    }
    for (const whole of lines) {
      const line = whole + "\n";
      const item = { line, resolve: () => done(line), reject: (error) => done(line, error) };
      this.waiting.add(item);
      this.send(item);
    }
  }

  connect() {
    if (this.socket || this.closing) return;
    const socket = net.createConnection(this.path);
    this.socket = socket;
    socket.setEncoding("utf8");
    socket.on("connect", () => {
      this.connected = true;
      this.away = false;
      this.pause = 50;
      for (const item of this.waiting) this.send(item);
      this.unspill();
    });
    socket.on("data", (data) => this.receive(data));
    socket.on("error", () => {}); // "close" follows
    socket.on("close", () => {
      this.away = true;
      this.socket = null;
      this.connected = false;
      this.sent = [];
      this.buffer = "";
      if (this.closing) return;
      this.pause = Math.min(this.pause * 1.5, 500);
      setTimeout(() => this.connect(), this.pause);
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

  /** Resolve once nothing waits any more, or the time is over, and close the connection. What the
   *  spill file holds stays there. */
  async close() {
    const end = Date.now() + this.timeout;
    while (this.waiting.size > 0 && Date.now() < end) {
      await new Promise((done) => setTimeout(done, 10));
    }
    this.closing = true;
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
 *   `onFailure`: what a request gets whose entry cannot be stored within the collector's timeout.
 *     "refuse": status 503. While the collector is away the handler is not even called; where it
 *     went away in the middle of a streamed answer, that is cut off. "continue": the answer goes
 *     out anyway, with a warning to standard error.
 * A collector with a spill file stores entries there instead, and nothing fails.
 * The client's address is `req.ip`: set Express's "trust proxy" to the proxies that you trust.
 */
function audit(
  collector,
  { actor = () => null, sessionCookie = null, exclude = ["/health"], onFailure = "refuse" } = {},
) {
  return function auditMiddleware(req, res, next) {
    const path = req.path;
    if (exclude.includes(path)) return next();
    const began = process.hrtime.bigint();
    const given = req.get("x-request-id") ?? "";
    const requestId = REQUEST_ID.test(given) ? given : randomUUID();
    const { write, end, writeHead } = res;
    let recorded = null; // the promise of the entry
    let whole = false; // whether the client has all of it with what is held
    let ended = false;
    let sent = 0;
    let held = [];
    let failing = false; // a 503 of our own goes out

    // Handlers and error handlers ask it: from the end on nothing can be changed.
    Object.defineProperty(res, "headersSent", {
      configurable: true,
      get: () => ended || whole || Boolean(res._header),
    });

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
      const status = res.headersSent ? (frozen ?? res.statusCode) : undefined;
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
      unavailable();
      return false;
    };

    const unavailable = () => {
      if (res._header) return res.destroy(); // too late for another status
      failing = ended = true;
      for (const name of res.getHeaderNames()) res.removeHeader(name);
      const body = '{"error":"the audit log is not available"}\n';
      const headers = { "content-type": "application/json", "retry-after": "1" };
      writeHead.call(res, 503, { ...headers, "content-length": Buffer.byteLength(body) });
      end.call(res, body);
    };

    const release = () => {
      if (!res._header && frozen) res.writeHead(frozen); // perhaps somebody's own
      for (const args of held) write.apply(res, args);
      held = [];
    };

    let frozen = null; // the status that the entry says
    const freeze = () => (frozen ??= res.statusCode);

    const known = () => {
      const length = res.getHeader("content-length");
      return length === undefined ? null : Number(length);
    };

    // The client has the whole answer with the chunk that reaches Content-Length, or, without
    // one, at the end. That is held back until the entry is stored.
    res.write = function (chunk, encoding, callback) {
      if (typeof encoding === "function") [encoding, callback] = [undefined, encoding];
      if (ended) return false;
      sent += sizeOf(chunk, encoding);
      const length = known();
      if (!whole && (length === null || sent < length)) {
        return write.call(res, chunk, encoding, callback);
      }
      held.push([chunk, encoding, callback]);
      if (!whole) {
        whole = true;
        freeze();
        record().then(release, (error) => failed(error) && release());
      }
      return true;
    };

    res.end = function (chunk, encoding, callback) {
      if (typeof chunk === "function") [chunk, callback] = [undefined, chunk];
      else if (typeof encoding === "function") [encoding, callback] = [undefined, encoding];
      if (ended) return res;
      const size = sizeOf(chunk, encoding);
      const bodiless = req.method === "HEAD" || res.statusCode === 204 || res.statusCode === 304;
      if (!res._header && known() === null && !res.hasHeader("transfer-encoding") && !bodiless) {
        res.setHeader("content-length", size);
      }
      ended = true;
      freeze();
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
      if (recorded === null && !failing) {
        record(CLIENT_GONE).catch((error) => process.emitWarning(`audit log: ${error.message}`));
      }
    });

    /** Store an entry of its own from inside a handler, with the request's actor and address. */
    req.audit = (fields) => collector.append({ ...common(), ...fields });
    if (collector.connected || onFailure === "continue") return next();
    collector.ready().then(
      () => next(),
      (error) => failed(error),
    );
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
