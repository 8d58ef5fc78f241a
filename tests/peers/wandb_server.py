"""A server of W&B that takes everything: as much of its API as W&B's own programs need to upload a run. wandb_server.py DIR writes DIR/port, a line of
JSON a request into DIR/log, and what is uploaded into DIR/files. Answers were found by asking wandb-core what it asks for."""
import gzip
import http.server
import json
import os
import re
import sys
import threading

out = sys.argv[1]
lock = threading.Lock()


def edges(nodes):
    return {"edges": [{"node": n} for n in nodes]}


def answer(query, v, base):
    data = {}
    if "upsertBucket" in query:
        project = {"id": "p", "name": v.get("project"), "entity": {"id": "e", "name": v.get("entity") or "me"}}
        bucket = {"id": "b", "name": v.get("name"), "displayName": v.get("displayName"), "config": "{}", "historyLineCount": 0, "project": project}
        data = {"upsertBucket": {"bucket": bucket, "inserted": True}}
    elif "createRunFiles" in query:
        data = {"createRunFiles": {"runID": "b", "uploadHeaders": [], "files": [{"name": n, "uploadUrl": base + n} for n in v["files"]]}}
    elif "createArtifactManifest" in query:
        name = "wandb_manifest.json"
        file = {"id": "f", "name": name, "displayName": name, "uploadUrl": base + "manifest.json", "uploadHeaders": []}
        data = {"createArtifactManifest": {"artifactManifest": {"id": "m", "file": file}}}
    elif "createArtifactFiles" in query:
        files = [{"id": s["name"], "name": s["name"], "displayName": s["name"], "uploadUrl": base + "artifact/" + s["name"], "uploadHeaders": [], "artifact": {"id": "a"}}
                 for s in v["input"]["artifactFiles"]]
        data = {"createArtifactFiles": {"files": edges(files)}}
    elif "createArtifact" in query:
        data = {"createArtifact": {"artifact": {"id": "a", "state": "PENDING", "artifactSequence": {"id": "s"}}}}
    elif "commitArtifact" in query:
        data = {"commitArtifact": {"artifact": {"id": "a", "digest": "x"}}}
    elif "viewer" in query:
        data = {"viewer": {"id": "u", "entity": "me", "username": "me", "flags": "{}", "teams": edges([{"name": "me"}])}}
    if "serverInfo" in query:
        data["serverInfo"] = {"cliVersionInfo": {"max_cli_version": "9.9.9", "min_cli_version": "0.10.0"}, "features": []}
    return {"data": data}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def keep(self, **what):
        with lock, open(os.path.join(out, "log"), "a") as f:
            f.write(json.dumps(what) + "\n")

    def body(self):
        b = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return gzip.decompress(b) if self.headers.get("Content-Encoding") == "gzip" else b

    def reply(self, what):
        b = json.dumps(what).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(b)))
        self.end_headers()
        self.wfile.write(b)

    def do_GET(self):
        self.keep(get=self.path)
        self.reply({})

    def do_PUT(self):
        name = self.path.split("/store/", 1)[-1]
        with open(os.path.join(out, "files", name.replace("/", "%")), "wb") as f:
            f.write(self.body())
        self.keep(put=name)
        self.reply({})

    def do_POST(self):
        b = self.body()
        if self.path.endswith("/file_stream"):
            self.keep(stream=self.path, data=json.loads(b))
            return self.reply({"exitcode": None, "limits": {}})
        if self.path != "/graphql":
            return self.reply({})
        j = json.loads(b)
        variables = j.get("variables") or {}
        op = re.search(r"(?:query|mutation)\s+(\w+)", j["query"])
        self.keep(op=op.group(1) if op else "", variables=variables)
        return self.reply(answer(j["query"], variables, "http://%s:%d/store/" % self.server.server_address))


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        pass  # a client that hangs up


os.makedirs(os.path.join(out, "files"), exist_ok=True)
server = Server(("127.0.0.1", 0), Handler)
with open(os.path.join(out, "port.part"), "w") as f:
    f.write(str(server.server_address[1]))
os.rename(os.path.join(out, "port.part"), os.path.join(out, "port"))
server.serve_forever()
