package mime

import (
	"bytes"
	"io"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/postroom/postroom"
)

func TestComposedLetter(t *testing.T) {
	got := Compose(Letter{
		From: postroom.Address{Name: "Bücher, Bert & Söhne", Address: "info@bücher.example"}, To: []postroom.Address{{Name: `Anna "Ann" Q.`, Address: "anna@example.net"}, {Address: "bob@example.com"}},
		Subject: "Größe: ein Betreff, der für eine Zeile viel zu lang geworden ist, und dann noch länger", MessageID: "abc@bücher.example",
		At: time.Date(2026, 11, 20, 14, 32, 5, 0, time.FixedZone("", 3600)), Automatic: true, Text: "Grüße\n.\nEnde = da",
	})
	want := "Date: Fri, 20 Nov 2026 14:32:05 +0100\r\n" +
		"From: =?UTF-8?B?QsO8Y2hlciwgQmVydCAmIFPDtmhuZQ==?=\r\n <info@xn--bcher-kva.example>\r\n" +
		"To: \"Anna \\\"Ann\\\" Q.\" <anna@example.net>, <bob@example.com>\r\n" +
		"Subject: =?UTF-8?B?R3LDtsOfZTogZWluIEJldHJlZmYsIGRlciBmw7xyIGVpbmUgWmVp?=\r\n" +
		" =?UTF-8?B?bGUgdmllbCB6dSBsYW5nIGdld29yZGVuIGlzdCwgdW5kIGRhbm4g?=\r\n" +
		" =?UTF-8?B?bm9jaCBsw6RuZ2Vy?=\r\n" +
		"Message-ID: <abc@xn--bcher-kva.example>\r\n" +
		"Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n" +
		"Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe\r\n.\r\nEnde =3D da\r\n"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("Compose (-want +got):\n%s", diff)
	}
}

func TestPlainLetterStaysPlain(t *testing.T) {
	got := string(Compose(Letter{
		From: postroom.Address{Name: "Support", Address: "support@example.net"}, To: []postroom.Address{{Address: "anna@example.net"}},
		Subject: "Test mail", MessageID: "1@example.net", Text: "Hello\n\nBye\n",
	}))
	for _, line := range []string{"From: Support <support@example.net>\r\n", "To: <anna@example.net>\r\n", "Subject: Test mail\r\n", "7bit\r\n\r\nHello\r\n\r\nBye\r\n"} {
		if !strings.Contains(got, line) {
			t.Errorf("no %q in\n%s", line, got)
		}
	}
}

func TestMarkIsReadAsItWasWritten(t *testing.T) {
	mark := "v1 17 " + strings.Repeat("Ab-_", 11) + " " + strings.Repeat("0z9A", 11)
	raw := Compose(Letter{
		From: postroom.Address{Address: "support@example.net"}, To: []postroom.Address{{Address: "anna@example.net"}},
		Subject: "x", MessageID: "1@example.net", Mark: mark, Text: "x",
	})
	m, err := Read(bytes.NewReader(raw), Options{})
	if err != nil || m.Header.Get("Postroom-Notice") != mark {
		t.Errorf("read %q, %v from\n%s", m.Header.Get("Postroom-Notice"), err, raw)
	}
}

// What is written is read again, here and by a reader that goes by the book, and
// nothing that stands in a letter becomes a header of its own.
func TestWhatIsComposedIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.StringOf(rapid.OneOf(rapid.Rune(), rapid.SampledFrom([]rune("abc =?_\"\\,.()<>@:;\r\n\tüß日本🙂-"))))
		l := Letter{
			From:    postroom.Address{Name: words.Draw(t, "name"), Address: "support@example.net"},
			To:      []postroom.Address{{Name: words.Draw(t, "other"), Address: "anna@example.net"}, {Address: "bob@example.com"}},
			Subject: words.Draw(t, "subject"), MessageID: "1@example.net", At: time.Date(2026, 11, 20, 14, 32, 0, 0, time.UTC),
			Text: words.Draw(t, "text"),
		}
		raw := Compose(l)
		for line := range strings.SplitSeq(string(raw), "\r\n") {
			if len(line) > 998 || strings.ContainsAny(line, "\r\n") || strings.ContainsFunc(line, func(r rune) bool { return r >= 0x80 || r < ' ' && r != '\t' }) {
				t.Fatalf("line %q", line)
			}
		}
		m, err := Read(bytes.NewReader(raw), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := strings.Join(strings.Fields(m.Subject), " "), strings.Join(strings.Fields(headerText(l.Subject)), " "); got != want {
			t.Errorf("subject %q, want %q", got, want)
		}
		byTheBook, err := mail.ReadMessage(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if n := len(byTheBook.Header); n != 8 {
			t.Errorf("%d headers: %v", n, byTheBook.Header)
		}
		from, err := byTheBook.Header.AddressList("From")
		if err != nil || len(from) != 1 || from[0].Address != "support@example.net" || strings.Join(strings.Fields(from[0].Name), " ") != strings.Join(strings.Fields(headerText(l.From.Name)), " ") {
			t.Errorf("from %v, %v, want %q", from, err, l.From.Name)
		}
		to, err := byTheBook.Header.AddressList("To")
		if err != nil || len(to) != 2 || to[0].Address != "anna@example.net" || to[1].Address != "bob@example.com" {
			t.Errorf("to %v, %v", to, err)
		}
		if m.MessageID != "1@example.net" || len(m.To) != 2 {
			t.Errorf("read as %q to %v", m.MessageID, m.To)
		}
		text := byTheBook.Body
		if byTheBook.Header.Get("Content-Transfer-Encoding") != "7bit" {
			text = quotedprintable.NewReader(text)
		}
		body, err := io.ReadAll(text)
		if err != nil || string(body) != wholeLines(l.Text) {
			t.Errorf("body %q, %v", body, err)
		}
	})
}

// A stranger's address may be as long as a header: turning 60 KB into ASCII takes
// 14 seconds.
func TestAnAddressWithoutAnEndIsWrittenAtOnce(t *testing.T) {
	var domain strings.Builder
	for r := range rune(20_000) {
		domain.WriteRune('\u4e00' + r)
	}
	start := time.Now()
	Compose(Letter{To: []postroom.Address{{Address: "anna@" + domain.String()}}})
	if took := time.Since(start); took > time.Second {
		t.Errorf("it took %s", took)
	}
}
