"""A mail server for tests: aiosmtpd, which speaks all of SMTP, and is told by its arguments how to fail. It prints its
port, and then a line of JSON for each thing that happens: what came in clear, who tried to log in, and each mail, as
Python's own parser reads it."""

import argparse
import asyncio
import email
import email.policy
import json
import os
import ssl

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tls", choices=["none", "starttls", "implicit"], default="none")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--login-by", choices=["PLAIN", "LOGIN"])
    parser.add_argument("--ascii", action="store_true", help="no SMTPUTF8")
    parser.add_argument("--unknown", action="append", default=[], help="a recipient who does not exist")
    parser.add_argument("--later", type=int, default=0, help="how many recipients to put off")
    parser.add_argument("--greylist", nargs=2, default=["", ""], help="a recipient who is put off while that file is there")
    parser.add_argument("--mute", type=int, default=0, help="how many mails to take without a word")
    return parser.parse_args()


OPTIONS = arguments()


def say(**what):
    print(json.dumps(what), flush=True)


def is_encrypted(session):
    return OPTIONS.tls == "implicit" or session.ssl is not None


class Server(SMTP):
    def data_received(self, data):
        if not is_encrypted(self.session):
            say(clear=data.decode("latin-1"))
        super().data_received(data)


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in OPTIONS.unknown:
            return "550 5.1.1 nobody here has that name"
        greylisted, while_there = OPTIONS.greylist
        if OPTIONS.later > 0 or (address == greylisted and os.path.exists(while_there)):
            OPTIONS.later = max(0, OPTIONS.later - 1)
            say(later=address)
            return "451 4.7.1 greylisted, come back later"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server, session, envelope):
        say(mail=read(session, envelope))
        if OPTIONS.mute > 0:
            OPTIONS.mute -= 1
            server.transport.abort()
            await asyncio.Event().wait()
        return "250 2.0.0 taken"


def read(session, envelope):
    raw = envelope.original_content
    # As text: of bytes, the parser knows no addresses beyond ASCII (RFC 6532).
    mail = email.message_from_string(raw.decode(), policy=email.policy.SMTPUTF8)
    defects = list(mail.defects)
    for value in mail.values():
        defects.extend(value.defects)
    return {
        "encrypted": is_encrypted(session),
        "user": session.auth_data if session.authenticated else None,
        "from": envelope.mail_from,
        "to": envelope.rcpt_tos,
        "options": envelope.mail_options,
        "bare_line_ends": any(end in raw.replace(b"\r\n", b"") for end in (b"\r", b"\n")),
        "ascii": raw.isascii(),
        "longest_line": max(len(line) for line in raw.split(b"\r\n")),
        "headers": {name.lower(): str(value) for name, value in mail.items()},
        "header_count": len(mail),
        "addresses": {
            name: [[it.display_name, it.addr_spec] for it in mail[name].addresses] for name in ("from", "to")
        },
        "defects": [str(defect) for defect in defects],
        "type": mail["content-type"],
        "encoding": mail["content-transfer-encoding"],
        "text": mail.get_content(),
        "raw": raw.decode(),
    }


def authenticate(server, session, envelope, mechanism, data):
    is_right = isinstance(data, LoginPassword) and data == LoginPassword(
        OPTIONS.user.encode(), OPTIONS.password.encode()
    )
    say(login=mechanism, right=is_right)
    return AuthResult(success=is_right, handled=False, auth_data=OPTIONS.user)


async def main():
    context = None
    if OPTIONS.tls != "none":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(OPTIONS.certificate, OPTIONS.key)
    loop = asyncio.get_running_loop()
    excluded = {"PLAIN", "LOGIN"} - {OPTIONS.login_by} if OPTIONS.login_by else set()

    def serve():
        return Server(
            Handler(),
            hostname="mail.example.org",
            loop=loop,
            enable_SMTPUTF8=not OPTIONS.ascii,
            tls_context=context if OPTIONS.tls == "starttls" else None,
            require_starttls=OPTIONS.tls == "starttls",
            authenticator=authenticate,
            auth_required=OPTIONS.user is not None,
            auth_require_tls=OPTIONS.tls == "starttls",
            auth_exclude_mechanism=excluded,
        )

    implicit = context if OPTIONS.tls == "implicit" else None
    server = await loop.create_server(serve, "127.0.0.1", 0, ssl=implicit)
    say(port=server.sockets[0].getsockname()[1])
    await server.serve_forever()


asyncio.run(main())
