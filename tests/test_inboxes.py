"""Files of inboxes as people have them: whose export it is, which column is what, and every byte kept."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from probe.facts import Grant, Inbox, Secret, TlsMode
from probe.grammar.columns import Header, header, header_of
from probe.grammar.inboxes import Row, login_of, reference, rows
from probe.grammar.sheet import Form, Record, cells, form_of, records, rewritten, shortened

# source, header, row; what the row says: address, user, password, host, port, TLS
EXPORTS = [
    (
        "Instantly",
        "Email,First Name,Last Name,IMAP Username,IMAP Password,IMAP Host,IMAP Port,SMTP Username,SMTP Password,SMTP Host,SMTP Port,Daily Limit,Warmup Enabled,Warmup Limit,Warmup Increment",
        "ada@a.example,Ada,L,iu,ip,imap.a.example,993,su,sp,smtp.a.example,587,30,TRUE,40,1",
        ("ada@a.example", "su", "sp", "smtp.a.example", 587, None),
    ),
    (
        "Instantly",
        "Email,First Name,Last Name,IMAP Username,IMAP Password,IMAP Host,IMAP Port,SMTP Username,SMTP Password,SMTP Host,SMTP Port",
        "ada@a.example,Ada,L,iu,ip,imap.a.example,993,su,sp,smtp.a.example,465",
        ("ada@a.example", "su", "sp", "smtp.a.example", 465, None),
    ),
    (
        "Smartlead",
        "from_name,from_email,user_name,password,smtp_host,smtp_port,imap_host,imap_port,max_email_per_day,custom_tracking_url,warmup_enabled,total_warmup_per_day,daily_rampup,reply_rate_percentage,bcc,signature,different_reply_to_address,imap_user_name,imap_password",
        'Ada,ada@a.example,ada,pw,smtp.a.example,465,imap.a.example,993,50,,TRUE,40,1,30,,"<p>Ada,\r\nA Inc</p>",,,',
        ("ada@a.example", "ada", "pw", "smtp.a.example", 465, None),
    ),
    (
        "Smartlead",
        "from_name,from_email,user_name,password,smtp_host,smtp_port,imap_host,imap_port",
        "Ada,ada@a.example,ada,pw,smtp.a.example,465,imap.a.example,993",
        ("ada@a.example", "ada", "pw", "smtp.a.example", 465, None),
    ),
    (
        "EmailBison",
        "name,email,password,imap_server,imap_port,smtp_server,smtp_port,smtp_secure,imap_secure,email_signature",
        "Ada,ada@a.example,pw,imap.a.example,993,smtp.a.example,587,false,true,",
        ("ada@a.example", "", "pw", "smtp.a.example", 587, None),
    ),
    (
        "PlusVibe",
        "first_name,last_name,email,username,password,imap_host,imap_port,smtp_host,smtp_username,smtp_password,smtp_port,daily_limit,min_interval,enable_camp_rampup,camp_rampup_start,camp_rampup_increment,enable_warmup,warmup_daily_limit,enable_warmup_rampup,warmup_rampup_start,warmup_rampup_increment",
        "Ada,L,ada@a.example,u,p,imap.a.example,993,smtp.a.example,su,sp,587,30,10,yes,1,1,yes,40,yes,1,1",
        ("ada@a.example", "su", "sp", "smtp.a.example", 587, None),
    ),
    (
        "Lemlist",
        "sender_name,sender_email,smtp_host,smtp_port,smtp_login,smtp_password,smtp_secure,imap_host,imap_port,imap_login,imap_password,imap_secure",
        "Ada,ada@a.example,smtp.a.example,465,su,sp,true,imap.a.example,993,iu,ip,true",
        ("ada@a.example", "su", "sp", "smtp.a.example", 465, None),
    ),
    (
        "Lemlist",
        "email,firstName,lastName,smtpUsername,smtpPassword,smtpHost,smtpPort,imapUsername,imapPassword,imapHost,imapPort",
        "ada@a.example,Ada,L,su,sp,smtp.a.example,587,iu,ip,imap.a.example,993",
        ("ada@a.example", "su", "sp", "smtp.a.example", 587, None),
    ),
    (
        "Reply.io or Woodpecker",
        "Email,First Name,Last Name,SMTP Host,SMTP Port,SMTP Login,SMTP Password,IMAP Host,IMAP Port,IMAP Login,IMAP Password",
        "ada@a.example,Ada,L,smtp.a.example,587,su,sp,imap.a.example,993,iu,ip",
        ("ada@a.example", "su", "sp", "smtp.a.example", 587, None),
    ),
    (
        "Reply.io or Woodpecker",
        "Email,First name,Last name,SMTP host,SMTP port,SMTP login,SMTP password,IMAP host,IMAP port,IMAP login,IMAP password",
        "ada@a.example,Ada,L,smtp.a.example,587,su,sp,imap.a.example,993,iu,ip",
        ("ada@a.example", "su", "sp", "smtp.a.example", 587, None),
    ),
    (
        "",
        "\ufefffrom_name,from_email,smtp_host,smtp_port,smtp_username,smtp_password,imap_host,imap_port,imap_username,imap_password",
        "Ada,ada@a.example,smtp.a.example,587,su,sp,imap.a.example,993,iu,ip",
        ("ada@a.example", "su", "sp", "smtp.a.example", 587, None),
    ),
    (
        "BrandJet",
        "email,password,smtpHost,smtpPort,smtpTls,imapHost,imapPort,imapTls,fromName,dailyLimit,warmupEnabled",
        "ada@a.example,pw,smtp.a.example,2525,starttls,imap.a.example,993,ssl,Ada,30,true",
        ("ada@a.example", "", "pw", "smtp.a.example", 2525, TlsMode.STARTTLS),
    ),
    (
        "",
        "Email, App Password, SMTP, IMAP",
        "ada@a.example,abcd efgh ijkl mnop,smtp.gmail.com:465,imap.gmail.com",
        ("ada@a.example", "", "abcd efgh ijkl mnop", "smtp.gmail.com", 465, None),
    ),
    (
        "",
        "smtp_server_port,smtp_server_username,smtp_server_starttls,smtp_server,smtp_server_password,email_address",
        "587,su,true,smtp.a.example,sp,ada@a.example",
        ("ada@a.example", "su", "sp", "smtp.a.example", 587, None),
    ),
    (
        "",
        "From email,From name,SMTP host,SMTP port,SMTP encryption,Username,Password",
        "ada@a.example,Ada,smtp.a.example,465,SSL,su,sp",
        ("ada@a.example", "su", "sp", "smtp.a.example", 465, TlsMode.IMPLICIT),
    ),
    (
        "",
        "E-Mail-Adresse,Kennwort,Benutzername,Postausgangsserver,Port,Verschlüsselung",
        "ada@a.example,sp,su,smtp.a.example,587,STARTTLS",
        ("ada@a.example", "su", "sp", "smtp.a.example", 587, TlsMode.STARTTLS),
    ),
    (
        "",
        "Adresse e-mail,Mot de passe,Serveur SMTP,Port SMTP",
        "ada@a.example,sp,smtp.a.example,587",
        ("ada@a.example", "", "sp", "smtp.a.example", 587, None),
    ),
    (
        "",
        "Correo electrónico,Contraseña,Servidor SMTP,Puerto",
        "ada@a.example,sp,smtp.a.example,587",
        ("ada@a.example", "", "sp", "smtp.a.example", 587, None),
    ),
    (
        "",
        "email_address,inbox_type,smtp_use_tls,imap_use_ssl,password",
        "ada@a.example,google,true,true,pw",
        ("ada@a.example", "", "pw", "", 0, None),
    ),
]


def read(text: str | bytes, told: dict[str, str] | None = None) -> tuple[Header, list[Row]]:
    data = text.encode() if isinstance(text, str) else text
    form = form_of(data)
    table = header_of(data, form, told)
    return table, list(rows(data, form, table))


def said(row: Row) -> tuple[str, str, str, str, int, TlsMode | None]:
    assert row.inbox is not None, row.problem
    inbox = row.inbox
    return inbox.address, inbox.user, inbox.secret.reveal(), inbox.host, inbox.port, inbox.tls


@pytest.mark.parametrize(("source", "head", "line", "expected"), EXPORTS, ids=lambda value: str(value)[:20])
@pytest.mark.parametrize(
    ("delimiter", "end"),
    [(",", "\n"), (";", "\r\n"), ("\t", "\r")],
    ids=["comma LF", "semicolon CRLF", "tab CR"],
)
def test_an_export_is_read_as_it_is(
    source: str, head: str, line: str, expected: tuple[object, ...], delimiter: str, end: str
) -> None:
    if '"' not in line:
        head, line = head.replace(",", delimiter), line.replace(",", delimiter)
    table, (row,) = read(f"{head}{end}{line}{end}{end}")
    assert said(row) == expected
    assert table.source == source
    assert str(table).startswith(f"detected: {source} export (" if source else "detected: a table (")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings_with_a_mark_are_recognised(encoding: str) -> None:
    text = "email,password,name\nada@a.example,pâss,Ada Ł 🎈\n"
    data = text.encode(encoding)
    _, (row,) = read(data)
    assert said(row)[2] == "pâss"
    form = form_of(data)
    assert form.mark + b"".join(rewritten(one, form) for one in records(data, form)) == data


@pytest.mark.parametrize(("told", "encoding"), [("utf-8-sig", "utf-8"), ("UTF-16", "utf-16-le")])
def test_a_file_that_lacks_the_mark_of_its_encoding_gets_none(told: str, encoding: str) -> None:
    data = "email,password\nada@a.example,pâss\n".encode(encoding)
    form = form_of(data, told)
    assert b"".join(rewritten(one, form) for one in records(data, form)) == data


def test_other_encodings_are_told_or_refused_with_the_place() -> None:
    data = b"email,password\nada@a.example,p\xe9ss\n"
    with pytest.raises(ValueError, match="byte 0xe9 in line 2, byte 16") as problem:
        read(data)
    assert "--encoding" in str(problem.value)
    form = form_of(data, "cp1252")
    assert next(iter(rows(data, form, header(next(records(data, form)), ",")))).inbox is not None


@pytest.mark.parametrize("encoding", ["gb18030", "gbk", "big5", "shift_jis", "euc-kr"])
def test_the_encodings_of_east_asia_can_be_told(encoding: str) -> None:
    data = "email,password,name\nada@a.example,pw,一\n".encode(encoding)
    form = form_of(data, encoding)
    assert said(next(rows(data, form, header_of(data, form))))[2] == "pw"
    assert b"".join(rewritten(one, form) for one in records(data, form)) == data


def test_a_damaged_place_is_found_behind_the_first_piece() -> None:
    good = b"ada@a.example,password-of-hers\n"
    data = b"email,password\n" + good * 5000 + b"eve@a.example,p\xff\n"
    with pytest.raises(ValueError, match=r"0xff in line 5002, byte 16"):
        list(records(data, form_of(data)))


PROBLEMS = {
    "fewer": ("ada@a.example", "1 field, fewer than the 5"),
    "a comma in the password": ("ada@a.example,pa,ss,h.example,587,", "6 fields"),
    "no address": (",pw,h.example,587,", "no address"),
    "no password": ("ada@a.example,,h.example,587,", "no password"),
    "a line break": ('ada@a.example,"p\r\nw",h.example,587,', "line break"),
    "no host name": ("ada@a.example,pw,\\\\evil\\share,587,", "the host is no host name"),
    "all addresses": ("ada@a.example,pw,0.0.0.0,587,", "no address of a host"),
    "a URL": ("ada@a.example,pw,smtp://h.example,587,", "the host is no host name"),
    "two ports": ("ada@a.example,pw,h.example:465,587,", "different ports"),
    "a port of IMAP": ("ada@a.example,pw,imap.a.example,993,", "the port is one for reading mail"),
    "a port of POP3": ("ada@a.example,pw,h.example:110,,", "the port is one for reading mail"),
    "a port too high": ("ada@a.example,pw,h.example,70000,", "the port is no port"),
    "a port with a beginning that is one": ("ada@a.example,pw,h.example,0065535999,", "the port is no port"),
    "a port with an underscore": ("ada@a.example,pw,h.example,5_87,", "the port is no port"),
    "a port in other digits": ("ada@a.example,pw,h.example,５８７,", "the port is no port"),
    "no kind of TLS": ("ada@a.example,pw,h.example,587,quic", "no kind of it"),
    "an angle bracket": ("<ada@a.example>,pw,h.example,587,", "the address holds an angle bracket"),
    "an IP address for a password": (
        "ada@a.example,127.0.0.1,S3cr3tZebra99,587,",
        "the columns have shifted",
    ),
    "localhost for a password": ("ada@a.example,localhost,S3cr3tZebra99,587,", "the columns have shifted"),
    "a host for a password": ("ada@a.example,smtp.a.example,S3cr3tZebra99,,", "the columns have shifted"),
    "an address for a password": ("ada@a.example,ada@a.example,S3cr3tZebra99,,", "the columns have shifted"),
    "another delimiter": (
        "ada@a.example;pw;h.example;587;",
        "1 field, fewer than the 5 of the header; this row has a semicolon",
    ),
    "a torn quote": ('ada@a.example,"pa\\"ss",h.example,587,', "a quote within quotes is written twice"),
    "a space behind a quote": ('ada@a.example,"pass" ,h.example,587,', "goes on behind its closing quote"),
    "an error of a spreadsheet": (
        "ada@a.example,#REF!,h.example,587,",
        "the password is what a spreadsheet shows instead",
    ),
    "a narrow column": (
        "ada@a.example,##########,h.example,587,",
        "the password is what a spreadsheet shows instead",
    ),
    "a rounded number": (
        "ada@a.example,1.23457E+15,h.example,587,",
        "a number that a spreadsheet has rounded",
    ),
    "a rounded number in German": (
        'ada@a.example,"1,23457E+15",h.example,587,',
        "a number that a spreadsheet",
    ),
    "a formula around it": (
        'ada@a.example,"=""0123""",h.example,587,',
        "a formula; the text between its quotes",
    ),
    "a mask": ("ada@a.example,••••••••,h.example,587,", "the password is masked"),
    "an empty cell of a program": ("ada@a.example,NaN,h.example,587,", "a word for an empty cell"),
    "a row that is left out": ("#ada@a.example,pw,h.example,587,", "the address begins with #"),
    "no address at all": ("hunter2,pw,h.example,587,", "the address is not an address"),
}


@pytest.mark.parametrize(("line", "problem"), PROBLEMS.values(), ids=PROBLEMS)
def test_a_wrong_row_says_what_is_wrong_and_quotes_nothing(line: str, problem: str) -> None:
    _, (row, good) = read(
        f"email,password,host,port,smtp_tls\n{line}\nok@a.example,pw,h.example,587,starttls\n"
    )
    assert problem in row.problem
    assert row.record.line == 2
    assert not [cell for cell in line.split(",") if len(cell) > 4 and cell in row.problem]
    assert good.inbox is not None


@pytest.mark.parametrize(
    "cell", ["nobody", '"a@b.example\r\nRCPT TO:<c@d.example>"', "<a@b.example>", "a@b c.example"]
)
def test_an_envelope_sender_is_an_address_and_not_quoted(cell: str) -> None:
    _, (wrong, right, none) = read(
        f"email,password,host,mail from\na@b.example,pw,h.example,{cell}\n"
        "a@b.example,pw,h.example, bounces@b.example\na@b.example,pw,h.example,\n"
    )
    assert wrong.problem.startswith("the envelope sender ")
    assert cell.strip('"') not in wrong.problem
    assert [row.inbox.mail_from for row in (right, none) if row.inbox] == ["bounces@b.example", ""]


@pytest.mark.parametrize(
    ("password", "host"),
    [
        ("S3cr3tZebra99", "mail"),
        ("127.0.0.1", "localhost"),
        ("10.0.0.1", "127.0.0.1"),
        ("a@b.example", "2001:db8::1"),
        ("smtp.b.example", "mail.b.example"),
        ("Summer.2024", "mail"),
        ("p@ss", "mail"),
    ],
)
def test_a_host_without_a_dot_is_one_of_an_inner_network(password: str, host: str) -> None:
    _, (row,) = read(f"email,password,host,port\na@b.example,{password},{host},\n")
    assert (row.problem, said(row)[3]) == ("", host)


KINDS = [
    ("ssl", 465, TlsMode.IMPLICIT),
    ("SSL/TLS", 465, TlsMode.IMPLICIT),
    ("tls", 587, TlsMode.STARTTLS),
    ("tls", 465, TlsMode.IMPLICIT),
    ("STARTTLS", 25, TlsMode.STARTTLS),
    ("none", 25, TlsMode.NONE),
    ("true", 587, None),
    ("0", 465, None),
    ("auto", 587, None),
    ("", 0, None),
]


@pytest.mark.parametrize(("word", "port", "expected"), KINDS)
def test_words_for_tls(word: str, port: int, expected: TlsMode | None) -> None:
    _, (row,) = read(f"email,password,host,port,smtp_tls\nada@a.example,pw,h.example,{port or ''},{word}\n")
    assert said(row)[5] is expected


def test_a_column_can_be_named() -> None:
    text = "email,password,SMTP Login,login\nada@a.example,pw,one,two\n"
    assert said(read(text, {"smtp_user": "login"})[1][0])[1] == "two"
    with pytest.raises(ValueError, match=r"no column 'Login'; |has no column 'Login'"):
        read(text, {"smtp_user": "Login"})


def test_a_column_can_be_named_by_its_number() -> None:
    text = "email,password,Tag,Tag\nada@a.example,pw,one,two\n"
    assert said(read(text, {"smtp_user": "#4"})[1][0])[1] == "two"
    with pytest.raises(ValueError, match="2 columns 'Tag'; say the number of one: --map user=\"#3\""):
        read(text, {"user": "Tag"})
    with pytest.raises(ValueError, match="no column '#5'"):
        read(text, {"user": "#5"})


def test_a_word_for_an_empty_cell_gives_way_to_the_password_beside_it() -> None:
    _, (row,) = read("email,smtp_password,password\na@a.example,null,the-real-one\n")
    assert row.inbox is not None
    assert row.inbox.secret.reveal() == "the-real-one"


def test_columns_that_are_told_by_number_do_not_make_a_header_of_an_inbox() -> None:
    with pytest.raises(ValueError, match=r"^has no header: an address stands in its first line") as told:
        read("s1@example.com,pw1\ns2@example.com,pw2\n", {"email": "#1", "password": "#2"})
    assert "pw1" not in str(told.value)


def test_a_header_that_stands_again_below_is_not_taken_for_a_wrong_mapping() -> None:
    with pytest.raises(ValueError, match="no column 'Nobody'"):
        read("email,password\na@a.example,x\nemail,password\n", {"user": "Nobody"})


def test_two_columns_that_may_hold_the_password_are_asked_about() -> None:
    with pytest.raises(ValueError, match=r"two columns, 'Password' and 'App Password'.*--map password="):
        read("Email,Password,App Password\n")


def test_a_file_without_a_header_quotes_no_password() -> None:
    with pytest.raises(ValueError, match="has no header: an address stands in its first line") as problem:
        read("ada@a.example,hunter2,smtp.a.example\n")
    assert "hunter2" not in str(problem.value)


def test_the_provider_stands_in_for_a_host() -> None:
    _, listed = read(
        "email,password,provider,host\na@a.example,p,2,\nb@a.example,p,Zoho,\nc@a.example,p,Zoho,h.example\n"
    )
    assert [row.provider for row in listed] == ["google", "Zoho", ""]
    _, (row,) = read("email,refresh_token,client_id,provider,host\na@a.example,ref,app,Google,h.example\n")
    assert row.provider == "Google"  # who hands out the token


def test_tokens_are_for_xoauth2() -> None:
    _, (row, other) = read(
        "email,password,access_token,refresh_token\na@a.example,,tok,\nb@a.example,,,ref\n"
    )
    assert row.inbox is not None
    assert (row.inbox.mechanism, row.inbox.secret.reveal()) == ("xoauth2", "tok")
    assert other.problem == (
        "a refresh token is good only with the id of the application it was given to: no client_id"
    )


@pytest.mark.parametrize(
    ("cells", "secret", "grant"),
    [
        (",,ref,app,,", "ref", Grant("app")),
        (",,ref,app,key,", "ref", Grant("app", Secret("key"))),
        (",,ref,app,key,example.test", "ref", Grant("app", Secret("key"), "example.test")),
        ("pw,,ref,app,,", "ref", Grant("app")),  # a refresh token with its application is what is meant
        (",,,app,key,", "key", Grant("app", alone=True)),
        (",,,app,key,example.test", "key", Grant("app", tenant="example.test", alone=True)),
        ("pw,,,app,key,", "pw", None),  # what some exports call client_id is another thing
        ("pw,,,app,,", "pw", None),
        ("pw,,ref,,,", "pw", None),
        (",tok,ref,app,key,", "ref", Grant("app", Secret("key"))),  # an access token ends in an hour
        (",tok,ref,,,", "tok", None),
        (",tok,,app,key,", "tok", None),
        ("pw,null,None,N/A,nan,undefined", "pw", None),  # words for empty cells
        ("pw,NULL,NULL,app,key,NULL", "pw", None),
        (",null,ref,app,null,null", "ref", Grant("app")),
        ("NULL,NULL,NULL,app,key,NULL", "key", Grant("app", alone=True)),
        (",,env:REF,app,env:KEY,", "env:REF", Grant("app", Secret("env:KEY"))),
    ],
)
def test_how_a_row_tells_where_its_token_comes_from(cells: str, secret: str, grant: Grant | None) -> None:
    head = "email,password,access_token,refresh_token,client_id,client_secret,tenant"
    _, (row,) = read(f"{head}\na@a.example,{cells}\n")
    assert row.inbox is not None
    assert (row.inbox.secret.reveal(), row.inbox.grant) == (secret, grant)
    assert row.inbox.mechanism == ("xoauth2" if secret == "tok" else "auto")


def test_the_columns_are_named_as_the_page_of_an_application_names_them() -> None:
    _, (row,) = read(
        "email,Application (client) ID,Directory (tenant) ID,Client secret\na@a.example,app,acme.test,key\n"
    )
    assert row.inbox is not None
    assert row.inbox.grant == Grant("app", tenant="acme.test", alone=True)


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        (",,ref,app,********,", "the client_secret is masked; put the client_secret there, or where it is (env:NAME)"),
        (",,********,app,key,", "the refresh token is masked; put the refresh token there, or where it is (env:NAME)"),
        (",########,,,,", "the access token is what a spreadsheet shows instead of it; put the access token there, or where it is (env:NAME)"),
        ("NULL,,,app,,", "the password is a word for an empty cell; put the password there, or where it is (env:NAME)"),
        (",null,,app,,", "no password"),
        (',,ref,"a\nb",,', "the client_id holds a line break or another character that no id has"),
        (",,,\u20acapp,key,", "the client_id holds a line break or another character that no id has"),
    ],
)  # fmt: skip
def test_what_stands_for_a_token_and_is_none(cells: str, problem: str) -> None:
    head = "email,password,access_token,refresh_token,client_id,client_secret,tenant"
    _, (row,) = read(f"{head}\na@a.example,{cells}\n")
    assert row.problem == problem


def test_what_a_column_called_tenant_holds_may_be_another_thing() -> None:
    _, (row,) = read("email,refresh_token,client_id,tenant\na@gmail.com,ref,app,our customer #7\n")
    assert row.inbox is not None
    assert row.inbox.grant == Grant("app", tenant="our customer #7")


@pytest.mark.parametrize("empty", ["\n", "\n\n\n", "\r\n\r\n", "\r"])
@pytest.mark.parametrize("head", ["email,password,host,port", '"email",password,host,port'])
def test_empty_lines_before_the_header_are_kept_and_not_read(empty: str, head: str) -> None:
    text = f"{empty}{head}\na@b.example,pw,h.example,587\n"
    table, (row,) = read(text)
    assert table.names == ("email", "password", "host", "port")
    assert said(row)[0] == "a@b.example"
    form = form_of(text.encode())
    first, second = records(text.encode(), form)
    assert rewritten(first, form, ["why"]).decode() == f"{empty}{head},why\n"
    assert (second.line, second.raw) == (row.record.line, "a@b.example,pw,h.example,587\n")


@pytest.mark.parametrize("text", ["\n\n", "\r\n\r"])
def test_lines_that_are_all_empty_are_one_record(text: str) -> None:
    form = Form("utf-16-le", b"", ",")
    assert [record.raw for record in records(text.encode("utf-16-le"), form)] == [text]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("told", ["sep=;\r\n", '"SEP=;"\n'])
def test_the_line_that_tells_excel_the_delimiter_is_kept_and_not_read(told: str, encoding: str) -> None:
    data = f"{told}email;tag,note;password\nada@a.example;x,y;pw\nbroken\n".encode(encoding)
    table, (row, broken) = read(data)
    assert table.names == ("email", "tag,note", "password")
    assert (said(row)[2], row.record.line, broken.record.line) == ("pw", 3, 4)
    form = form_of(data)
    assert form.mark + b"".join(rewritten(one, form) for one in records(data, form)) == data


def test_a_space_behind_each_delimiter_is_no_part_of_a_password() -> None:
    text = 'email, password, note, host\na@b.example, pw , "two\nlines", h.example\nc@b.example," x, y",,h\n'
    table, (one, other) = read(text)
    assert (said(one)[2:4], said(other)[2:4]) == (("pw ", "h.example"), (" x, y", "h"))
    assert "the space behind each comma belongs to no cell" in str(table)
    form = form_of(text.encode())
    assert rewritten(other.record, form, ["why"]) == b'c@b.example," x, y",,h, why\n'


@pytest.mark.parametrize("name", ["Name, first, last", "Name, so, or so, or other", "a\tb\tc\td"])
def test_what_stands_in_quotes_parts_no_cells(name: str) -> None:
    table, (row,) = read(f'"{name}";email;password\nAda;ada@a.example;pw\n')
    assert (table.delimiter, said(row)[2]) == (";", "pw")


def test_a_space_behind_some_delimiters_is_part_of_a_password() -> None:
    _, (row,) = read("email,password, host\na@b.example, pw,h.example\n")
    assert said(row)[2] == " pw"


SHORT = {
    "empty cells at the end": ("a@b.example,pw,h.example,587", ""),
    "and no port": ("a@b.example,pw,h.example,,b", "5 fields, fewer"),
    "a port with its host": ("a@b.example,pw,h.example:465,,b", ""),
    "a cell in the middle": ("a@b.example,h.example,587,b", "4 fields, fewer than the 6"),
    "the password": ("a@b.example,h.example,587,,b", "5 fields, fewer"),
    "what is read": ("a@b.example,pw,h.example", "3 fields, fewer"),
}


@pytest.mark.parametrize(
    ("source", "head", "line", "expected"),
    [export for export in EXPORTS if '"' not in export[2]],
    ids=lambda value: str(value)[:20],
)
def test_a_row_of_an_export_that_lacks_a_cell_gives_no_other_password(
    source: str, head: str, line: str, expected: tuple[str, ...]
) -> None:
    cells_of_it = line.split(",")
    for at in range(len(cells_of_it)):
        _, (row,) = read(f"{head}\n{','.join(cells_of_it[:at] + cells_of_it[at + 1 :])}\n")
        assert row.inbox is None or row.inbox.secret.reveal() == expected[2], (source, at)


@pytest.mark.parametrize(("line", "problem"), SHORT.values(), ids=SHORT)
def test_a_row_may_lack_empty_cells_at_its_end_where_nothing_can_have_shifted(
    line: str, problem: str
) -> None:
    _, (row,) = read(f"email,password,host,port,tag,signature\n{line}\n")
    assert row.problem.startswith(problem)
    assert bool(row.inbox) is not bool(problem)


def test_empty_rows_mean_nothing() -> None:
    _, listed = read("email,password\n\n,\nada@a.example,pw\n  \n")
    assert [said(row)[0] for row in listed] == ["ada@a.example"]
    assert listed[0].record.line == 4


@pytest.mark.parametrize("char", "\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e")
def test_only_line_ends_of_files_end_a_line(char: str) -> None:
    signed = Record(1, f'a@b.example,x{char}y,"l1\r\nl{char}2"\r\n')
    assert cells(signed, ",") == ["a@b.example", f"x{char}y", f"l1\r\nl{char}2"]


def test_quotes_inside_a_password_are_part_of_it() -> None:
    _, (row, other) = read('email,password\na@a.example,pa"ss"wo"rd\nb@a.example,"say ""hi"", now"\n')
    assert said(row)[2] == 'pa"ss"wo"rd'
    assert said(other)[2] == 'say "hi", now'


@pytest.mark.parametrize(
    ("cell", "expected"),
    [("env:PW_1", ("env", "PW_1")), ("env:not a name", ("", "")), ("file:/a b", ("file", "/a b")), ("cmd:x y", ("cmd", "x y")),
     ("keyring:mail", ("keyring", "mail")), ("env:", ("", "")), ("hunter2", ("", ""))],
)  # fmt: skip
def test_references(cell: str, expected: tuple[str, str]) -> None:
    assert reference(cell) == expected


def test_a_login_is_its_user_name_where_that_is_an_address() -> None:
    _, (one, two, three, four) = read(
        "email,password,user,host\na@a.example,p,,h\nb@a.example,p,A@a.example,other\nc@a.example,p,apikey,h\nd@a.example,p,apikey,h\n"
    )
    logins = [login_of(row.inbox) for row in (one, two, three, four) if isinstance(row.inbox, Inbox)]
    assert logins[0] == logins[1]
    assert len({*logins}) == 3


def test_a_login_is_one_in_whatever_script_its_domain_is_written() -> None:
    _, (one, two) = read("email,password\na@bücher.example,p\nA@xn--bcher-kva.example,p\n")
    assert isinstance(one.inbox, Inbox)
    assert isinstance(two.inbox, Inbox)
    assert login_of(one.inbox) == login_of(two.inbox)


# -- any file ------------------------------------------------------------------------------------------

_TEXT = st.text(st.sampled_from('ab,;\t"\r\n @.:é🎈'), max_size=200)


@settings(deadline=None, max_examples=200)
@given(_TEXT)
@example('a,"b\r\n"\r\nc')
@example('"')
@example('a,"b""\n",c\n')
def test_any_text_is_cut_into_records_and_put_together_again(text: str) -> None:
    data = f"email,password\n{text}".encode()
    form = Form("utf-8", b"", ",")
    try:
        cut = list(records(data, form))
    except ValueError as problem:
        assert "never closed" in str(problem)  # noqa: PT017 - an open quote is the one reason there is
        return
    assert b"".join(rewritten(record, form) for record in cut) == data
    table = header(cut[0], ",")
    for row in rows(data, form, table):
        assert row.problem or row.inbox is not None


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20), min_size=2, max_size=4
    ),
    st.sampled_from(",;\t"),
)
def test_cells_that_are_added_can_be_read_again(more: list[str], delimiter: str) -> None:
    form = Form("utf-8", b"", delimiter)
    line = rewritten(Record(1, f"a{delimiter}b\r\n"), form, more)
    assert line.endswith(b"\r\n")
    added = cells(Record(1, line.decode()), delimiter)[2:]
    assert [cell.removeprefix("'") for cell in added] == [
        " ".join(cell.split()).removeprefix("'") for cell in more
    ]
    assert not [cell for cell in added if cell.startswith(("=", "+", "-", "@"))]


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.text(st.sampled_from('ab,;\t"\r\n é'), max_size=8), min_size=1, max_size=4),
    st.lists(st.text(max_size=8), min_size=1, max_size=2),
    st.sampled_from([",", ";", "\t", ", "]),
)
def test_cells_that_were_added_can_be_taken_away(own: list[str], more: list[str], delimiter: str) -> None:
    form = Form("utf-8", b"", delimiter)
    told = delimiter.join(f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in own) + "\r\n"
    assert shortened(Record(1, told), form, len(own)).raw == told
    wider = rewritten(Record(1, told), form, more, width=len(own)).decode(errors="surrogatepass")
    assert shortened(Record(1, wider), form, len(own)).raw == told


def test_cells_stand_behind_the_columns_of_a_table_where_the_row_can_be_counted() -> None:
    form = Form("utf-8", b"", ",")
    assert rewritten(Record(1, "a,b"), form, ["why"], width=4) == b"a,b,,,why\n"
    assert rewritten(Record(1, "a,b,c,d,e\n"), form, ["why"], width=4) == b"a,b,c,d,e,why\n"
    assert rewritten(Record(1, 'a,"b"c\n'), form, ["why"], width=4) == b'a,"b"c,why\n'


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_list_or_a_sentence(data: bytes) -> None:
    try:
        form = form_of(data)
        table = header(next(records(data, form)), form.delimiter)
        for _ in rows(data, form, table):
            pass
    except ValueError as problem:
        assert str(problem).isprintable()  # noqa: PT017 - it may also be none


HOSTS = {
    "h.example:465,": ("h.example", 465),
    "h.example:465,465": ("h.example", 465),
    "h.example.,587.0": ("h.example", 587),
    "127.0.0.1,25": ("127.0.0.1", 25),
    "[2001:db8::1],25": ("2001:db8::1", 25),
    "[2001:db8::1]:587,": ("2001:db8::1", 587),
    "2001:db8::1,": ("2001:db8::1", 0),
    ",": ("", 0),
}


@pytest.mark.parametrize(("cells_of_it", "expected"), HOSTS.items(), ids=HOSTS)
def test_hosts_and_ports_as_people_write_them(cells_of_it: str, expected: tuple[str, int]) -> None:
    _, (row,) = read(f"email,password,host,port\nada@a.example,pw,{cells_of_it}\n")
    assert said(row)[3:5] == expected
