package mime

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func TestParseDate(t *testing.T) {
	tests := map[string]string{
		"Fri, 21 Nov 1997 09:55:06 -0600":               "1997-11-21T15:55:06Z",
		"21 Nov 97 09:55 GMT":                           "1997-11-21T09:55:00Z",
		"Wed, 20 Dec 95 19:59 CST":                      "1995-12-21T01:59:00Z",
		"Thu, 30 Apr 1998 11:28:50 EDT":                 "1998-04-30T15:28:50Z",
		"Thu,      13\n     Feb\n  1969\n  23:32 -0330": "1969-02-14T03:02:00Z",
		"Tue, 1 Jul 2003 10:52:37 +0200 (CEST)":         "2003-07-01T08:52:37Z",
		"Fri, 21 Nov 1997 09(comment):55:06 -0600":      "0001-01-01T00:00:00Z",
		"Mon Jan  2 15:04:05 2006":                      "2006-01-02T15:04:05Z",
		"Mon Jan 2 15:04:05 MST 2006":                   "2006-01-02T22:04:05Z",
		"2006-01-02T15:04:05+02:00":                     "2006-01-02T13:04:05Z",
		"2006-01-02 15:04:05":                           "2006-01-02T15:04:05Z",
		"12-Jan-2011 10:11:12 +0100":                    "2011-01-12T09:11:12Z",
		"Sat, 01 Jan 2011 3:04:05 PM GMT":               "2011-01-01T15:04:05Z",
		"Mon, 01 Jan 100 12:00:00 GMT":                  "2000-01-01T12:00:00Z",
		"20 May 2000 01:55:02 -0000":                    "2000-05-20T01:55:02Z",
		"Mon, 29 Feb 2021 10:00:00 +0000":               "0001-01-01T00:00:00Z",
		"Mon, 2 Jan 2006 15:04:05 +02:00":               "2006-01-02T13:04:05Z",
		"Mon, 2 Jan 2006 15:04:05 GMT+0200":             "2006-01-02T13:04:05Z",
		"":                                              "0001-01-01T00:00:00Z",
		"yesterday":                                     "0001-01-01T00:00:00Z",
		"Mon, 99 Foo 2006":                              "0001-01-01T00:00:00Z",
		"Mon, 1 Jan 99999999999999999999 10:00:00":      "0001-01-01T00:00:00Z",
	}
	for value, want := range tests {
		got := ParseDate(unfold(value))
		if text := got.UTC().Format(time.RFC3339); text != want {
			t.Errorf("ParseDate(%q) = %s, want %s", value, text, want)
		}
		if got.Location() != time.UTC {
			t.Errorf("ParseDate(%q) is in %v, want UTC", value, got.Location())
		}
	}
}

func TestTopReceived(t *testing.T) {
	header := "Return-Path: <a@b>\r\nReceived: from x by y\r\n\twith ESMTP id 1; Fri, 20 Nov 2026 10:00:00 +0100\r\nReceived: from z by x; Fri, 20 Nov 2026 08:00:00 +0000\r\n"
	if got, want := TopReceived([]byte(header)), time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC); !got.Equal(want) {
		t.Errorf("TopReceived = %v, want %v", got, want)
	}
	if got := TopReceived([]byte("Subject: none\n")); !got.IsZero() {
		t.Errorf("TopReceived without Received = %v, want zero", got)
	}
}

func TestParseAddresses(t *testing.T) {
	type list = []postroom.Address
	tests := map[string]list{
		`a@b.c`:                              {{Address: "a@b.c"}},
		`Ann <a@b.c>, <d@e.f>`:               {{Name: "Ann", Address: "a@b.c"}, {Address: "d@e.f"}},
		`a@b.c (Ann)`:                        {{Name: "Ann", Address: "a@b.c"}},
		`<a@b.c> (Ann)`:                      {{Address: "a@b.c"}},
		`"Doe, Ann" <a@b.c>`:                 {{Name: "Doe, Ann", Address: "a@b.c"}},
		`Doe, Ann <a@b.c>`:                   {{Name: "Doe, Ann", Address: "a@b.c"}},
		`"say \"hi\"" <a@b.c>`:               {{Name: `say "hi"`, Address: "a@b.c"}},
		`=?utf-8?q?Doe,_J=C3=B6rg?= <a@b.c>`: {{Name: "Doe, Jörg", Address: "a@b.c"}},
		`"=?utf-8?q?J=C3=B6rg?=" <a@b.c>`:    {{Name: "Jörg", Address: "a@b.c"}},
		`team: a@b.c, Bob <d@e.f>;, g@h.i`:   {{Address: "a@b.c"}, {Name: "Bob", Address: "d@e.f"}, {Address: "g@h.i"}},
		`undisclosed-recipients:;`:           nil,
		`Ann a@b.c`:                          {{Name: "Ann", Address: "a@b.c"}},
		`<<a@b.c>>`:                          {{Address: "a@b.c"}},
		`Ann <a@b.c`:                         {{Name: "Ann", Address: "a@b.c"}},
		`<@x.y,@z:a@b.c>`:                    {{Address: "a@b.c"}},
		`mailto:a@b.c`:                       {{Address: "a@b.c"}},
		`a@b.c; d@e.f`:                       {{Address: "a@b.c"}, {Address: "d@e.f"}},
		`ann@bücher.example`:                 {{Address: "ann@bücher.example"}},
		"J\xf6rg <a@b.c>":                    {{Name: "Jörg", Address: "a@b.c"}},
		`"john doe"@b.c`:                     {{Address: `"john doe"@b.c`}},
		`local`:                              {{Address: "local"}},
		`,,;`:                                nil,
		``:                                   nil,
	}
	for value, want := range tests {
		if got := parseAddresses(value, ""); !slices.Equal(got, want) {
			t.Errorf("parseAddresses(%q) = %q, want %q", value, got, want)
		}
	}
}

func TestDecodeText(t *testing.T) {
	tests := map[string]string{
		"plain":                                   "plain",
		"=?utf-8?Q?Gr=C3=BC=C3=9Fe?=":             "Grüße",
		"=?UTF-8?B?R3LDvMOfZQ==?=":                "Grüße",
		"=?utf-8?q?a?= =?utf-8?q?b?=":             "ab",
		"=?utf-8?q?a?= b":                         "a b",
		"=?utf-8?q?=C3?= =?utf-8?q?=BC?=":         "ü",
		"=?utf-8*en?q?a?=":                        "a",
		"=?iso-8859-1?q?a_b?=":                    "a b",
		"=?unknown?q?=FC?=":                       "ü",
		"x=?utf-8?q?y?=z":                         "xyz",
		"=?utf-8?q?open":                          "=?utf-8?q?open",
		"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=":      "日本",
		"=?gb2312?B?xOO6ww==?=":                   "你好",
		"=?utf-7?Q?Hi_+AOQ-?=":                    "Hi ä",
		"Gr\xfc\xdfe":                             "Grüße",
		"Gr\xc3\xbc\xc3\x9fe":                     "Grüße",
		"=?utf-8?q?nul=00?=":                      "nul",
		"=?utf-8?q?two=0Alines?=":                 "two lines",
		"=?windows-1252?q?=80?= =?koi8-r?q?=F0?=": "€П",
	}
	for value, want := range tests {
		if got := decodeText(value, ""); got != want {
			t.Errorf("decodeText(%q) = %q, want %q", value, got, want)
		}
	}
}

func TestParseMediaType(t *testing.T) {
	tests := []struct {
		value, kind, param, want string
	}{
		{`text/plain; charset=utf-8`, "text/plain", "charset", "utf-8"},
		{`TEXT/Plain;CHARSET="UTF-8"`, "text/plain", "charset", "UTF-8"},
		{`text/plain charset=utf-8`, "text/plain", "charset", "utf-8"},
		{`text/plain; charset=us-ascii name=a.txt`, "text/plain", "name", "a.txt"},
		{`a/b; name=my file.txt`, "a/b", "name", "my file.txt"},
		{`a/b; name="a;b.txt"; x=y`, "a/b", "name", "a;b.txt"},
		{`a/b; name="open.txt`, "a/b", "name", "open.txt"},
		{`a/b; name="C:\dir\a.txt"`, "a/b", "name", `C:\dir\a.txt`},
		{`a/b (comment); name=a (c) ; x=y`, "a/b", "name", "a"},
		{`a/b; name*=utf-8''Gr%C3%BC%C3%9Fe.txt`, "a/b", "name", "Grüße.txt"},
		{`a/b; name*0=Gr; name*1=uesse`, "a/b", "name", "Gruesse"},
		{`a/b; name*1*=%BC%C3%9Fe; name*0*=utf-8''Gr%C3`, "a/b", "name", "Grüße"},
		{`a/b; name*0*=iso-8859-1'de'Gr%FC; name*1="%DF"`, "a/b", "name", "Grü%DF"},
		{`a/b; name="=?utf-8?q?Gr=C3=BC=C3=9Fe?="`, "a/b", "name", "Grüße"},
		{`a/b; name==?utf-8?q?a;b?=; x=y`, "a/b", "name", "a;b"},
		{`a/b; name=plain.txt; name*=utf-8''better.txt`, "a/b", "name", "better.txt"},
		{"a/b; name=Gr\xfc\xdfe.txt", "a/b", "name", "Grüße.txt"},
	}
	for _, test := range tests {
		got := parseMediaType(test.value, "")
		if got.value != test.kind || got.params[test.param] != test.want {
			t.Errorf("parseMediaType(%q) = %q with %q, want %q with %q", test.value, got.value, got.params[test.param], test.kind, test.want)
		}
	}
}

func TestMessageIDs(t *testing.T) {
	tests := map[string][]string{
		"<a@b> <c@d>":                       {"a@b", "c@d"},
		"<a@b><c@d>":                        {"a@b", "c@d"},
		"a@b c@d":                           {"a@b", "c@d"},
		"Your message of Monday <a@b>":      {"a@b"},
		"Your message of Monday":            nil,
		"<a@\r\n b>":                        {"a@b"},
		"<a@b> (John's message of \"<c>\")": {"a@b", "c"},
		"<open@b":                           {"open@b"},
		"":                                  nil,
	}
	for value, want := range tests {
		if got := messageIDs(value); !slices.Equal(got, want) {
			t.Errorf("messageIDs(%q) = %q, want %q", value, got, want)
		}
	}
}

func TestBodies(t *testing.T) {
	part := func(header, body string) string {
		if header != "" {
			header += "\n"
		}
		return "--x\n" + header + "\n" + body + "\n"
	}
	mixed := "Content-Type: multipart/mixed; boundary=x\n\n"
	tests := map[string]struct {
		message, text, html string
		files               []string
	}{
		"text alone":              {"Subject: s\n\nhello\n", "hello\n", "", nil},
		"no header at all":        {"\n\nhello\n", "", "", nil},
		"a mailbox separator":     {"From a Mon Jan  2 15:04:05 2006\nSubject: s\n\nhello", "hello", "", nil},
		"empty lines first":       {"\n\nSubject: s\n\nhello", "hello", "", nil},
		"CR only":                 {"Subject: s\r\rhello\rthere\r", "hello\nthere\n", "", nil},
		"alternatives":            {strings.Replace(mixed, "mixed", "alternative", 1) + part("", "t") + part("Content-Type: text/html", "h") + "--x--", "t", "h", nil},
		"a text as a file":        {mixed + part("", "t") + part("Content-Disposition: attachment; filename=a.txt", "file") + "--x--", "t", "", []string{"a.txt text/plain 4"}},
		"a text shown inline":     {mixed + part("", "t") + part("Content-Disposition: inline; filename=a.txt", "file") + "--x--", "t\nfile", "", nil},
		"no last delimiter":       {mixed + part("", "t"), "t", "", nil},
		"no boundary":             {"Content-Type: multipart/mixed\n\n--x\n\nt\n", "--x\n\nt\n", "", nil},
		"no part":                 {mixed + "only a preamble", "only a preamble", "", nil},
		"preamble and epilogue":   {mixed + "before\n" + part("", "t") + "--x--\nbehind\n", "t", "", nil},
		"an enclosed message":     {mixed + part("Content-Type: message/rfc822", "Subject: in\n\nside") + "--x--", "", "", []string{" message/rfc822 17"}},
		"base64":                  {"Content-Transfer-Encoding: base64\n\naGVs\nbG8=\n", "hello", "", nil},
		"base64 with noise":       {"Content-Transfer-Encoding: base64\n\na*GVs\n!!bG8\n", "hello", "", nil},
		"base64 in sections":      {"Content-Transfer-Encoding: base64\n\naGU=\nbGxv\n", "hello", "", nil},
		"quoted-printable":        {"Content-Transfer-Encoding: quoted-printable\n\na=3Db=\nc  \nd=\n", "a=bc\nd", "", nil},
		"broken quoted-printable": {"Content-Transfer-Encoding: quoted-printable\n\na=ZZ=4\nb=", "a=ZZ=4\nb", "", nil},
		"an unknown encoding":     {"Content-Transfer-Encoding: base9000\n\nas it is", "as it is", "", nil},
		"an unknown type":         {"Content-Type: nonsense\n\ntext", "text", "", nil},
		"a wrong charset":         {"Content-Type: text/plain; charset=utf-8\n\nGr\xfc\xdfe", "Grüße", "", nil},
		"an unknown charset":      {"Content-Type: text/plain; charset=fantasy\n\nGr\xc3\xbc\xc3\x9fe", "Grüße", "", nil},
		"a charset in a meta":     {"Content-Type: text/html\n\n<meta charset=koi8-r>\xf0", "", "<meta charset=koi8-r>П", nil},
		"NUL":                     {"\nSubject: s\n\na\x00b", "ab", "", nil},
		"uuencode":                {"Subject: s\n\nhi\nbegin 644 a.txt\n#86)C\n`\nend\nbye\n", "hi\nbye\n", "", []string{"a.txt application/octet-stream 3"}},
		"the word begin":          {"Subject: s\n\nbegin 644 times\nover again\n", "begin 644 times\nover again\n", "", nil},
		"a parameter alone":       {"Content-Type: multipart/mixed;\nboundary=x\n\n" + part("", "t") + "--x--", "t", "", nil},
	}
	for name, test := range tests {
		m := read(t, []byte(test.message))
		var files []string
		for _, a := range m.Attachments {
			files = append(files, a.Name+" "+a.Type+" "+fmt.Sprint(a.SizeBytes))
		}
		if m.Text != test.text || m.HTML != test.html || !slices.Equal(files, test.files) {
			t.Errorf("%s: Read gives %q, %q and %q, want %q, %q and %q", name, m.Text, m.HTML, files, test.text, test.html, test.files)
		}
	}
}

func TestAttachment(t *testing.T) {
	const message = "Content-Type: multipart/mixed; boundary=x\n\n--x\n\nhi\nbegin 644 u.txt\n#86)C\n`\nend\n--x\nContent-Type: image/png; name=p.png\nContent-Transfer-Encoding: base64\n\naGVsbG8=\n--x--\n"
	m := read(t, []byte(message))
	want := []string{"abc", "hello"}
	if len(m.Attachments) != len(want) {
		t.Fatalf("there are %d attachments, want %d", len(m.Attachments), len(want))
	}
	for n, bytes := range want {
		var got strings.Builder
		a, err := Attachment(strings.NewReader(message), n, &got)
		if err != nil || got.String() != bytes || a != m.Attachments[n] {
			t.Errorf("Attachment(%d) writes %q, %v, want %q", n, got.String(), err, bytes)
		}
	}
	var first, second strings.Builder
	if err := Attachments(strings.NewReader(message), map[int]io.Writer{0: &first, 1: &second, 7: io.Discard}); err != nil || first.String() != want[0] || second.String() != want[1] {
		t.Errorf("Attachments writes %q and %q, %v, want %q", first.String(), second.String(), err, want)
	}
	rest := strings.NewReader(message + strings.Repeat("\n", 10<<20))
	if _, err := Attachment(rest, 0, io.Discard); err != nil || rest.Len() < 9<<20 {
		t.Errorf("behind the attachment %d bytes were left unread, %v, want most of 10 MB", rest.Len(), err)
	}
	if _, err := Attachment(strings.NewReader(message), 2, io.Discard); postroom.KindOf(err) != postroom.NotFound {
		t.Errorf("an attachment that is not there gives %v, want NotFound", err)
	}
	if _, err := Attachment(strings.NewReader(message), 1, failingWriter{}); err != io.ErrClosedPipe {
		t.Errorf("a writer that fails gives %v, want its error", err)
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestReportFields(t *testing.T) {
	const message = "Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n\r\n--x\r\n\r\nfailed\r\n--x\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; a\r\n\r\nFinal-Recipient: rfc822; b@c\r\nAction: failed\r\n\r\n--x\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <1@d>\r\n--x--\r\n"
	m := read(t, []byte(message))
	if m.Parts[0].ReportType != "delivery-status" {
		t.Errorf("the report type is %q", m.Parts[0].ReportType)
	}
	if groups := m.Parts[2].Fields; len(groups) != 2 || groups[1].Get("action") != "failed" || groups[1].Get("Final-Recipient") != "rfc822; b@c" {
		t.Errorf("the groups of fields are %+v", groups)
	}
	if got := m.Parts[3].Fields[0].MessageID(); got != "1@d" {
		t.Errorf("the id of the enclosed header is %q, want 1@d", got)
	}
}
