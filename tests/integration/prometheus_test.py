#!/usr/bin/env python3
"""/metrics before a real Prometheus: scraped, clean for promtool; alert rules and dashboard name what there is."""

import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
sys.path.insert(0, str(ROOT / "tests/integration"))

from admin_test import REQUEST, Gateway, free_port  # noqa: E402
from peers import Program  # noqa: E402

ALERTS = ROOT / "metrics/alerts.yml"
DASHBOARD = ROOT / "metrics/grafana.json"
# Rows that come only with what they are about.
ONLY_WITH = ("cmpgate_expiry_timestamp_seconds", "cmpgate_audit_", "cmpgate_tls_certificate_expiry_seconds",
             "cmpgate_secrets_next_expiry_timestamp_seconds", "cmpgate_credential_renewal", "cmpgate_upstream_quirks_total",
             "cmpgate_tcp_", "cmpgate_coap_", "cmpgate_files_")
PROMETHEUS = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: cmpgate
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


def documented():
    names = set(re.findall(r"`((?:cmpgate|process)_[a-z_]+)`", (ROOT / "metrics/README.md").read_text()))
    assert len(names) > 25, names
    return names


def expressions():
    """Where it stands -> the expression, of alert rules and dashboard."""
    found = {}
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            found[f"grafana.json: {panel['title']}, {target['refId']}"] = target["expr"].replace(
                "$__rate_interval", "5m").replace("$instance", ".*")
    rules = re.findall(r"- alert: (\w+)\n\s+expr: (>\n(?:\s{10}.*\n)+|.*\n)", ALERTS.read_text())
    assert len(rules) > 10, rules
    for name, text in rules:
        found[f"alerts.yml: {name}"] = " ".join(text.removeprefix(">").split())
    return found


def names_exist():
    known = documented() | {"up"}
    for where, expression in expressions().items():
        names = set(re.findall(r"\b(?:cmpgate|process)_[a-z_]+\b", re.sub(r'"[^"]*"', '""', expression)))
        names = {re.sub(r"_seconds_(bucket|sum|count)$", "_seconds", name) for name in names}
        assert names <= known, (where, names - known)


def promtool(*arguments, stdin=None):
    done = subprocess.run(["promtool", *map(str, arguments)], input=stdin, capture_output=True, text=True, timeout=120,
                          check=False)
    assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    return done.stdout + done.stderr


def scraped(cmpgate, folder):
    with Gateway(cmpgate, folder) as gateway:
        gateway.post(REQUEST)
        gateway.post(b"nonsense")
        _, exposition = gateway.look("/metrics")
        said = promtool("check", "metrics", stdin=exposition)
        assert not said.strip(), said
        promtool("check", "rules", ALERTS)
        promtool("test", "rules", ROOT / "tests/metrics/alerts_test.yml")

        port, config = free_port(), folder / "prometheus.yml"
        config.write_text(PROMETHEUS.format(rules=ALERTS, port=gateway.admin))
        with Program(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/tsdb",
                      f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]) as prometheus:

            def api(path, **arguments):
                url = f"http://127.0.0.1:{port}/api/v1/{path}?{urllib.parse.urlencode(arguments)}"
                try:
                    with urllib.request.urlopen(url, timeout=10) as response:
                        return json.load(response)["data"]
                except urllib.error.HTTPError as fault:
                    raise AssertionError((path, arguments, fault.read())) from fault

            def value(query):
                result = api("query", query=query)["result"]
                return float(result[0]["value"][1]) if result else None

            until = time.monotonic() + 60
            while True:
                try:
                    if value('cmpgate_messages_total{operation="ir"}') is not None:
                        break
                except (OSError, AssertionError):
                    pass  # it does not listen yet, or starts (503)
                assert time.monotonic() < until, prometheus.output
                time.sleep(0.2)
            assert value('up{job="cmpgate"}') == 1
            assert value("sum(cmpgate_messages_total)") == 2
            assert value('sum(cmpgate_messages_total{operation="unparsed",decision="refused"})') == 1
            names = set(api("label/__name__/values"))
            for name in documented():
                # Histograms are three; some names come only with what they are about.
                there = {name, name + "_bucket"} & names or name.startswith(ONLY_WITH)
                assert there, name
            for where, expression in expressions().items():
                try:
                    api("query", query=expression)
                except AssertionError as fault:
                    raise AssertionError((where, expression)) from fault
            groups = api("rules")["groups"]
            assert sum(len(group["rules"]) for group in groups) == len([x for x in expressions() if x.startswith("alerts")])
            while any(rule["health"] != "ok" for group in api("rules")["groups"] for rule in group["rules"]):
                assert time.monotonic() < until, groups
                time.sleep(0.2)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmpgate", required=True, type=pathlib.Path)
    cmpgate = parser.parse_args().cmpgate.resolve()
    names_exist()
    print("names_exist ok")
    if not shutil.which("prometheus") or not shutil.which("promtool"):
        print("skipped: no prometheus here (Debian package prometheus)")
        return 77
    with tempfile.TemporaryDirectory(prefix="cmpgate-prometheus-test-") as folder:
        scraped(cmpgate, pathlib.Path(folder))
    print("scraped ok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
