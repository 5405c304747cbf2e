#!/usr/bin/env python3
"""Opens evidence reports in a real Chromium without a window, and says what the page came to.

Reads requests from stdin, one JSON object a line, and answers each with one:

  open        the file, shown from disk
  before      a script that runs before those of the page
  known       text to type into the box for what the reader knows
  evaluate    expressions, each answered with its value, after the page is done
  screenshot  a file to draw the page into: all of it, or the part from one height on; dark, print and width as asked
  seconds     how long the page may take

The answer says in `seconds` how long the page took, and in `processor` how long processors worked for it.

Speaks the DevTools protocol through a pipe: no port is opened, and the browser is denied all hosts.
"""

import base64
import json
import os
import subprocess
import sys
import tempfile
import time

BROWSERS = ["chromium-headless-shell", "chromium", "google-chrome"]
DONE = "document.documentElement.dataset.verdict !== undefined"


class Browser:
    def __init__(self, profile):
        to_browser, ours = os.pipe()
        theirs, from_browser = os.pipe()

        def move():
            # The protocol's two ends have these numbers in the browser.
            os.dup2(to_browser, 13)
            os.dup2(from_browser, 14)
            os.dup2(13, 3)
            os.dup2(14, 4)

        flags = [
            "--headless",
            "--remote-debugging-pipe",
            f"--user-data-dir={profile}",
            "--no-sandbox",  # Containers, where tests run, do not let it make one; it opens our own files only.
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--force-color-profile=srgb",
        ]
        self.process = None
        for name in BROWSERS:
            try:
                self.process = subprocess.Popen(
                    [name, *flags], close_fds=False, preexec_fn=move, stderr=subprocess.DEVNULL
                )
                break
            except FileNotFoundError:
                continue
        if self.process is None:
            sys.exit(f"look: none of {', '.join(BROWSERS)} is there")
        os.close(to_browser)
        os.close(from_browser)
        self.ours = os.fdopen(ours, "wb", buffering=0)
        self.theirs = os.fdopen(theirs, "rb", buffering=0)
        self.rest = b""
        self.number = 0
        self.heard = []

    def call(self, method, session=None, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        self.ours.write(json.dumps(message).encode() + b"\0")
        while True:
            answer = self.next()
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.heard.append(answer)

    def next(self):
        while b"\0" not in self.rest:
            more = os.read(self.theirs.fileno(), 1 << 20)
            if not more:
                sys.exit("look: the browser ended")
            self.rest += more
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)


def value_of(browser, session, expression):
    answer = browser.call(
        "Runtime.evaluate", session, expression=expression, returnByValue=True, awaitPromise=True
    )
    if "exceptionDetails" in answer:
        thrown = answer["exceptionDetails"]
        return {"thrown": thrown.get("exception", {}).get("description", thrown["text"])}
    return answer["result"].get("value")


def look(browser, request):
    browser.heard.clear()
    target = browser.call("Target.createTarget", url="about:blank")["targetId"]
    session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    for domain in ["Page", "Network", "Log", "Runtime", "Performance"]:
        browser.call(f"{domain}.enable", session)
    scheme = [{"name": "prefers-color-scheme", "value": "dark" if request.get("dark") else "light"}]
    media = "print" if request.get("print") else ""
    browser.call("Emulation.setEmulatedMedia", session, media=media, features=scheme)
    width = request.get("width", 1100)
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.call("Emulation.setDeviceMetricsOverride", session, **size)
    if "before" in request:
        browser.call("Page.addScriptToEvaluateOnNewDocument", session, source=request["before"])
    start = time.monotonic()
    url = "file://" + os.path.abspath(request["open"])
    browser.call("Page.navigate", session, url=url)
    limit = request.get("seconds", 60)
    while value_of(browser, session, DONE) is not True and time.monotonic() - start < limit:
        time.sleep(0.02)
    took = time.monotonic() - start
    metrics = browser.call("Performance.getMetrics", session)["metrics"]
    used = next(metric["value"] for metric in metrics if metric["name"] == "ProcessTime")
    if "known" in request:
        typed = json.dumps(request["known"])
        change = f"const box = document.getElementById('known'); box.value = {typed};"
        value_of(browser, session, change + "box.dispatchEvent(new Event('input'))")
        value_of(browser, session, "new Promise((done) => setTimeout(done, 200))")
    answer = {
        "verdict": value_of(browser, session, "document.documentElement.dataset.verdict"),
        "told": value_of(browser, session, "document.getElementById('verdict').innerText"),
        "seconds": took,
        "processor": used,
        "values": [value_of(browser, session, asked) for asked in request.get("evaluate", [])],
    }
    if "screenshot" in request:
        size["height"] = min(20000, value_of(browser, session, "document.documentElement.scrollHeight"))
        browser.call("Emulation.setDeviceMetricsOverride", session, **size)
        top, height = request.get("part", [0, size["height"]])
        part = {"x": 0, "y": top, "width": width, "height": height, "scale": 1}
        shot = browser.call("Page.captureScreenshot", session, format="png", clip=part)
        with open(request["screenshot"], "wb") as file:
            file.write(base64.b64decode(shot["data"]))
    heard = [message for message in browser.heard if message.get("sessionId") == session]
    of = lambda method: [message["params"] for message in heard if message["method"] == method]
    requested = [message["request"]["url"] for message in of("Network.requestWillBeSent")]
    answer["requested"] = [other for other in requested if other != url]
    answer["complaints"] = [message["entry"]["text"] for message in of("Log.entryAdded")] + [
        message["exceptionDetails"]["text"] for message in of("Runtime.exceptionThrown")
    ]
    browser.call("Target.closeTarget", targetId=target)
    return answer


def main():
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(profile)
        for line in sys.stdin:
            print(json.dumps(look(browser, json.loads(line))), flush=True)
        browser.process.terminate()
        browser.process.wait()


main()
