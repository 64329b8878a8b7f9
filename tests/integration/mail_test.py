#!/usr/bin/env python3
"""`cmpgate mail` (RFC 9483 6.4) as an MTA's pipe runs it; its mails are made and read by Python's own email package. Where
Postfix is installed its pipe is tried with conf/examples/postfix/ as it stands, but for names."""

import argparse
import email
import email.message
import email.policy
import os
import pathlib
import shutil
import smtplib
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/support"))
sys.path.insert(0, str(ROOT / "tests/integration"))

from cmp_message import Message  # noqa: E402
from gateway import Gateway  # noqa: E402
from tcp_test import SlowCa, request  # noqa: E402

CMPGATE = None
OWN, DEVICE = "ra@example.org", "press-7@plant.example"


def mail(der, **fields):
    """A mail with this message."""
    made = email.message.EmailMessage()
    made["From"], made["To"], made["Subject"] = f"Press 7 <{DEVICE}>", OWN, "enrol"
    made["Message-ID"], made["References"] = "<m2@plant.example>", "<m1@plant.example>"
    for name, value in fields.items():
        made[name.replace("_", "-")] = value
    made.set_content("A request is attached.")
    made.add_attachment(der, maintype="application", subtype="pkixcmp", filename="press-7.pki")
    return made


def config(upstream, folder):
    return f"""
workers = 2
[[listener]]
url = "http://127.0.0.1:0"
[[listener]]
name = "mail"
url = "mail:"
label = "by-mail"
[[upstream]]
url = "{upstream}"
[[profile]]
origin = "opaque"
match = {{ listener = "mail", label = "by-mail" }}
[admin]
url = "unix:{folder}/admin.sock"
view = ["user:nobody"]
"""


class MailTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cmpgate-mail-"))
        self.addCleanup(shutil.rmtree, self.folder, True)

    def enter(self, thing):
        thing.__enter__()
        self.addCleanup(thing.__exit__, None, None, None)
        return thing

    def gateway(self):
        return self.enter(Gateway(CMPGATE, self.folder, config(self.enter(SlowCa()).url, self.folder)))

    def pipe(self, text, *options):
        text = text.as_bytes(policy=email.policy.SMTP) if hasattr(text, "as_bytes") else text
        options = options or ("-c", self.folder / "cmpgate.toml", f"--sender={DEVICE}")
        return subprocess.run([str(part) for part in (CMPGATE, "mail", "--from", OWN, *options)], input=text,
                              capture_output=True, timeout=60, check=False)

    def test_a_reply_to_whoever_wrote(self):
        gateway = self.gateway()
        done = self.pipe(mail(request(1)))
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        reply = email.message_from_bytes(done.stdout, policy=email.policy.default)
        self.assertEqual((reply["From"], reply["To"], reply["Subject"]), (OWN, DEVICE, "Re: enrol"))
        self.assertEqual(reply["In-Reply-To"], "<m2@plant.example>")
        self.assertEqual(reply["References"].split(), ["<m1@plant.example>", "<m2@plant.example>"])
        self.assertEqual(reply["Auto-Submitted"], "auto-replied")
        self.assertEqual(reply["Content-Type"].content_type, "application/pkixcmp")
        self.assertEqual(reply["Content-Transfer-Encoding"], "base64")
        self.assertEqual(reply.get_filename(), "press-7.pki")
        answer = Message(reply.get_content())
        self.assertEqual((answer.type, answer.transaction_id), ("error", Message(request(1)).transaction_id))
        self.assertEqual(gateway.records()[-1]["listener"], "mail")
        # A reply is answered by nobody.
        again = self.pipe(done.stdout, "-c", self.folder / "cmpgate.toml")
        self.assertEqual((again.returncode, again.stdout), (0, b""))

    def test_no_reply(self):
        gateway = self.gateway()
        begun = len(gateway.records())
        rows = [(mail(request(1), Auto_Submitted="auto-generated"), ()), (mail(request(1), Precedence="bulk"), ()),
                (mail(request(1), List_Id="<a.b>"), ()), (b"From: a@b.example\n\nDear CA\n", ()), (b"", ()),
                (mail(request(1)), ("-c", self.folder / "cmpgate.toml", "--sender=MAILER-DAEMON")),
                (mail(bytes(1 << 20)), ())]
        for text, options in rows:
            done = self.pipe(text, *options)
            self.assertEqual((done.returncode, done.stdout), (0, b""))
            self.assertIn(b"not answered", done.stderr)
        self.assertEqual(len(gateway.records()), begun)

    def test_the_queue_keeps_what_the_gateway_cannot_take_now(self):
        gateway = self.gateway()
        self.assertEqual(gateway.stop(20), 0)
        done = self.pipe(mail(request(1)))
        self.assertEqual((done.returncode, done.stdout), (75, b""))  # EX_TEMPFAIL
        self.assertEqual(self.pipe(mail(request(1)), "--to", "http://127.0.0.1:9/.well-known/cmp").returncode, 75)

    def test_to_a_listener(self):
        gateway = self.gateway()
        done = self.pipe(mail(request(1)), "--to", gateway.url)
        self.assertEqual(done.returncode, 0, done.stderr)
        reply = email.message_from_bytes(done.stdout, policy=email.policy.default)
        self.assertEqual(Message(reply.get_content()).transaction_id, Message(request(1)).transaction_id)
        for wrong in ((), ("--to", gateway.url, "-c", "x"), ("--to", "ftp://a/")):
            done = subprocess.run([CMPGATE, "mail", "--from", OWN, *wrong], input=mail(request(1)).as_bytes(),
                                  capture_output=True, timeout=30, check=False)
            self.assertNotEqual(done.returncode, 0, wrong)

    def test_sendmail_is_given_the_reply(self):
        self.gateway()
        told = self.folder / "sendmail"
        told.write_text(f'#!/bin/sh\nprintf "%s|" "$@" > {self.folder}/arguments\ncat > {self.folder}/mail\n')
        told.chmod(0o755)
        done = self.pipe(mail(request(1)), "-c", self.folder / "cmpgate.toml", f"--sender={DEVICE}", "--sendmail", told)
        self.assertEqual((done.returncode, done.stdout), (0, b""), done.stderr)
        self.assertEqual((self.folder / "arguments").read_text(), f"-i|-f||--|{DEVICE}|")
        self.assertIn(b"Auto-Submitted: auto-replied", (self.folder / "mail").read_bytes())
        told.write_text("#!/bin/sh\nexit 1\n")
        done = self.pipe(mail(request(1)), "-c", self.folder / "cmpgate.toml", f"--sender={DEVICE}", "--sendmail", told)
        self.assertEqual(done.returncode, 75)

    def test_check(self):
        for lines, fault in (('url = "mail:x"', "nothing else"), ('url = "mail:"\nidle_timeout = "1s"', "idle_timeout"),
                             ('url = "mail:"', "admin socket")):
            path = self.folder / "check.toml"
            path.write_text(f'version = 1\n[[listener]]\n{lines}\n[[upstream]]\nurl = "http://127.0.0.1:9/"\n'
                            '[[profile]]\norigin = "opaque"\n')
            done = subprocess.run([CMPGATE, "check", "-c", path], capture_output=True, text=True, timeout=30, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn(fault, done.stdout + done.stderr)

    def test_postfix(self):
        postfix = shutil.which("postfix", path=os.environ["PATH"] + ":/usr/sbin")
        if not postfix or os.geteuid() != 0:
            reason = "Postfix is not installed" if not postfix else "Postfix wants root"
            print(f"skipped: {reason}")
            self.skipTest(reason)
        self.gateway()
        os.chmod(self.folder, 0o755)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        etc, queue, data, inbox = (self.folder / name for name in ("etc", "queue", "data", "inbox"))
        for made in (etc, queue, data, inbox):
            made.mkdir()
        shutil.chown(data, "postfix")
        shutil.chown(inbox, "nobody")
        examples = ROOT / "conf/examples/postfix"
        # The reply goes by the same queue to a pipe that writes it down: no network is needed.
        deliver = self.folder / "deliver"
        deliver.write_text(f"#!/bin/sh\nexec cat > {inbox}/$$.new\n")
        deliver.chmod(0o755)
        part = (examples / "master.cf.part").read_text()
        part = part.replace("/usr/bin/cmpgate", str(CMPGATE)).replace("/etc/cmpgate/cmpgate.toml", str(self.folder / "cmpgate.toml"))
        part = part.replace("user=cmpgate-mail", "user=nobody").replace("/usr/sbin/sendmail", str(self.folder / "sendmail"))
        # Postfix's own sendmail reads /etc/postfix first, which is not this one's: what it does is put into the queue.
        (self.folder / "sendmail").write_text(
            '#!/usr/bin/python3\nimport smtplib, sys\nassert sys.argv[1:5] == ["-i", "-f", "", "--"], sys.argv\n'
            f'with smtplib.SMTP("127.0.0.1", {port}) as smtp:\n    smtp.sendmail("", sys.argv[5:], sys.stdin.buffer.read())\n')
        (self.folder / "sendmail").chmod(0o755)
        (etc / "master.cf").write_text(f"""\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
inbox unix - n n - - pipe
  flags=Rq user=nobody argv={deliver}
{part}""")
        main = (examples / "main.cf.part").read_text().replace("hash:/etc/postfix/transport", f"texthash:{etc}/transport")
        (etc / "transport").write_text((examples / "transport").read_text() + f"{DEVICE} inbox:\n")
        (etc / "main.cf").write_text(f"""\
compatibility_level = 3.6
queue_directory = {queue}
data_directory = {data}
maillog_file = /var/log/{self.folder.name}.log
myhostname = mx.example.org
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtpd_relay_restrictions = permit_mynetworks, reject
alternate_config_directories = {etc}
relay_domains = example.org
local_recipient_maps =
notify_classes =
{main}""")
        started = subprocess.run([postfix, "-c", str(etc), "start"], capture_output=True, text=True, timeout=60, check=False)
        log = pathlib.Path(f"/var/log/{self.folder.name}.log")
        self.addCleanup(log.unlink, True)
        try:
            self.assertEqual(started.returncode, 0, started.stdout + started.stderr)
            until = time.monotonic() + 20
            while True:
                try:
                    smtp = smtplib.SMTP("127.0.0.1", port, timeout=10)
                    break
                except OSError:
                    self.assertLess(time.monotonic(), until, log.read_text() if log.exists() else "no log")
                    time.sleep(0.2)
            with smtp:
                smtp.send_message(mail(request(9)), DEVICE, [OWN])
            until = time.monotonic() + 40
            while not list(inbox.iterdir()):
                self.assertLess(time.monotonic(), until, log.read_text() if log.exists() else "no log")
                time.sleep(0.2)
            time.sleep(0.5)
            reply = email.message_from_bytes(next(inbox.iterdir()).read_bytes(), policy=email.policy.default)
            self.assertEqual(Message(reply.get_content()).transaction_id, Message(request(9)).transaction_id)
            self.assertEqual(reply["Auto-Submitted"], "auto-replied")
            self.assertEqual(reply["To"], DEVICE)
            print("Postfix took a mail, its pipe was answered, and the reply went out")
        finally:
            subprocess.run([postfix, "-c", str(etc), "stop"], capture_output=True, timeout=60, check=False)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--cmpgate", required=True, type=pathlib.Path)
    programs, rest = parser.parse_known_args()
    CMPGATE = programs.cmpgate.resolve()
    unittest.main(argv=[sys.argv[0], *rest], verbosity=2)
