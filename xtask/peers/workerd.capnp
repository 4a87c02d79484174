# The Durable Object of worker.js on workerd, its log in SQLite on disk. Address and directory are given on the command line.
using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "main", worker = .log),
    (name = "data", disk = (writable = true)),
  ],
  sockets = [(name = "http", http = (), service = "main")],
);

const log :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "2025-06-01",
  durableObjectNamespaces = [(className = "Log", uniqueKey = "log", enableSql = true)],
  durableObjectStorage = (localDisk = "data"),
  bindings = [(name = "LOG", durableObjectNamespace = "Log")],
);
