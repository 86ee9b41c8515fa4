package imap

import (
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/testbed"
)

func TestCyrus(t *testing.T) {
	const bert = "bert@example.net"
	d := testbed.Cyrus(t, map[string]string{anna: password, bert: password})
	letters := lettersOf(60)
	d.Deliver(anna, "INBOX", letters...)
	options := func(policy postroom.TLSPolicy, mechanism string) Options {
		o := Options{
			Endpoint: mail.Endpoint{Host: d.Host, Port: d.IMAPPort, TLS: policy, CACertificate: d.CAPEM},
			Login:    mail.Login{Username: anna, Secret: postroom.Hide(password), Mechanism: mechanism},
		}
		if policy == postroom.TLSImplicit {
			o.Endpoint.Port = d.IMAPSPort
		}
		return o
	}
	for name, o := range map[string]Options{
		"in clear, SCRAM by choice": options(postroom.TLSNone, ""),
		"STARTTLS, PLAIN by choice": options(postroom.TLSStart, ""),
		"TLS, LOGIN":                options(postroom.TLSImplicit, mail.LoginSASL),
	} {
		t.Run(name, func(t *testing.T) { seeAll(t, open(t, o), letters) })
	}
	t.Run("a wrong password", func(t *testing.T) {
		o := options(postroom.TLSImplicit, "")
		o.Secret = postroom.Hide("wrong")
		if r := refusalOfOpen(t, o); r.Phase != mail.PhaseAuth || r.Reply == "" || r.Err != nil {
			t.Errorf("refusal = %+v", r)
		}
	})
	t.Run("news", func(t *testing.T) {
		hearNews(t, open(t, options(postroom.TLSImplicit, "")), len(letters), func() { d.Deliver(anna, "INBOX", letters[0]) })
	})
	t.Run("after import", func(t *testing.T) {
		var five [][]byte
		for _, id := range []string{"one", "two", "three", "four", "five"} {
			five = append(five, []byte("Message-ID: <"+id+"@example.com>\r\nSubject: "+id+"\r\n\r\nText\r\n"))
		}
		d.Deliver(bert, "INBOX", five...)
		o := options(postroom.TLSImplicit, "")
		o.Username = bert
		testAfterImport(t, open(t, o), five)
	})
}
