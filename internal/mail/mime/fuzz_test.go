package mime

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
	"unicode/utf8"
)

// Whatever the bytes, Read returns a mail whose strings can be stored, and the
// same one each time; Attachment agrees with it.
func FuzzRead(f *testing.F) {
	for _, file := range samples(f) {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := read(t, raw)
		for _, text := range allStrings(m) {
			if !utf8.ValidString(text) || strings.Contains(text, "\x00") {
				t.Fatalf("%q cannot be stored", text)
			}
		}
		if again := read(t, raw); dump(m) != dump(again) {
			t.Fatal("reading twice gives two results")
		}
		for n, want := range m.Attachments[:min(len(m.Attachments), 3)] {
			got, err := Attachment(bytes.NewReader(raw), n, io.Discard)
			if err != nil || got != want {
				t.Fatalf("Attachment(%d) = %+v, %v, want %+v", n, got, err, want)
			}
		}
	})
}

func allStrings(m *Message) []string {
	all := []string{m.MessageID, m.Subject, m.Text, m.HTML}
	all = append(all, m.InReplyTo...)
	all = append(all, m.References...)
	all = append(all, m.Notes...)
	for _, list := range [][]string{m.Header.Values("X-Any")} {
		all = append(all, list...)
	}
	for name, value := range m.Header.All() {
		all = append(all, name, value, m.Header.Text(name))
	}
	for _, a := range append(append(append(m.From, m.To...), m.Cc...), m.ReplyTo...) {
		all = append(all, a.Name, a.Address)
	}
	for _, a := range m.Attachments {
		all = append(all, a.Name, a.Type, a.ContentID)
	}
	for _, p := range m.Parts {
		all = append(all, p.Type, p.RawType, p.ReportType, p.Disposition, p.Name, p.Opening)
	}
	return all
}

func FuzzAddresses(f *testing.F) {
	for _, seed := range []string{`Ann <a@b.c>`, `team: a@b, "x, y" <c@d>;`, `a@b (c (d))`, "=?utf-8?q?a,?= <b@c>", `<@a,@b:c@d>`, "\xff <a@b>", `"\`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, a := range parseAddresses(value, "") {
			if !utf8.ValidString(a.Name+a.Address) || strings.Contains(a.Name+a.Address, "\x00") {
				t.Fatalf("%q cannot be stored", a)
			}
			if a.Name == "" && a.Address == "" {
				t.Fatal("nobody was found")
			}
		}
	})
}

func FuzzDate(f *testing.F) {
	for _, seed := range []string{"Fri, 21 Nov 1997 09:55:06 -0600", "Mon Jan  2 15:04:05 2006", "2006-01-02T15:04:05Z", "12-Jan-2011 1:2", "1/2/03 4:5 pm"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if at := ParseDate(value); !at.IsZero() && (at.Year() < 1899 || at.Year() > 10000) {
			t.Fatalf("ParseDate(%q) = %v", value, at)
		}
	})
}

// An ordinary mail of 22 KB: text, HTML and a picture.
func BenchmarkRead22KB(b *testing.B) {
	raw := ordinaryMail()
	b.SetBytes(int64(len(raw)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read(bytes.NewReader(raw), Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func ordinaryMail() []byte {
	var m bytes.Buffer
	for range 6 {
		m.WriteString("Received: from mx1.example.net (mx1.example.net [192.0.2.1])\r\n\tby mail.example.org (Postfix) with ESMTPS id 4ABCDEF\r\n\tfor <support@example.org>; Fri, 20 Nov 2026 10:00:00 +0100 (CET)\r\n")
	}
	m.WriteString("From: =?utf-8?q?J=C3=B6rg?= <joerg@example.net>\r\nTo: Support <support@example.org>\r\nSubject: =?utf-8?q?Frage_zur_Rechnung_=E2=80=93_bitte_um_R=C3=BCckruf?=\r\nDate: Fri, 20 Nov 2026 09:59:58 +0100\r\nMessage-ID: <1@example.net>\r\nReferences: <0@example.net> <00@example.org>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"outer\"\r\n\r\n")
	m.WriteString("--outer\r\nContent-Type: multipart/alternative; boundary=\"inner\"\r\n\r\n--inner\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
	for range 40 {
		m.WriteString("Guten Tag, wir haben eine Frage zu der Rechnung, die gestern ankam: wof=C3=BCr=\r\n ist der letzte Posten?\r\n")
	}
	m.WriteString("--inner\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
	for range 40 {
		m.WriteString("<p style=3D\"margin:0\">Guten Tag, wir haben eine Frage zu der Rechnung: wof=C3=BCr=\r\n ist der letzte Posten?</p>\r\n")
	}
	m.WriteString("--inner--\r\n--outer\r\nContent-Type: image/png; name=\"logo.png\"\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	for range 150 {
		m.WriteString(strings.Repeat("QUJD", 19) + "\r\n")
	}
	m.WriteString("--outer--\r\n")
	return m.Bytes()
}
