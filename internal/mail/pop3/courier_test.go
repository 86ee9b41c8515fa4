package pop3

import (
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/testbed"
)

func TestCourier(t *testing.T) {
	d := testbed.Courier(t, map[string]string{anna: password})
	letters := lettersOf(60)
	d.Deliver(anna, "INBOX", letters...)
	options := func(policy postroom.TLSPolicy, mechanism string) Options {
		o := Options{
			Endpoint: mail.Endpoint{Host: d.Host, Port: d.POP3Port, TLS: policy, CACertificate: d.CAPEM},
			Login:    mail.Login{Username: anna, Secret: postroom.Hide(password), Mechanism: mechanism},
		}
		if policy == postroom.TLSImplicit {
			o.Endpoint.Port = d.POP3SPort
		}
		return o
	}
	for name, o := range map[string]Options{
		"in clear, PLAIN by choice": options(postroom.TLSNone, ""),
		"STLS, PLAIN by choice":     options(postroom.TLSStart, ""),
		"TLS, USER and PASS":        options(postroom.TLSImplicit, mail.LoginSASL),
	} {
		t.Run(name, func(t *testing.T) { seeAll(t, open(t, o), letters) })
	}
	t.Run("a wrong password", func(t *testing.T) {
		t.Parallel() // Courier thinks about it for five seconds, which is as long as we wait by default
		o := options(postroom.TLSImplicit, "")
		o.Secret = postroom.Hide("wrong")
		if r := refusalOfOpen(t, o); r.Phase != mail.PhaseAuth || r.Reply == "" || r.Err != nil {
			t.Errorf("refusal = %+v", r)
		}
	})
	t.Run("deleting", func(t *testing.T) { deleteByQuit(t, options(postroom.TLSImplicit, ""), letters) })
}
