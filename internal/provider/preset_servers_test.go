package provider

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
)

func TestServersForAnAddress(t *testing.T) {
	tests := map[string]struct {
		id, address string
		want        []string // protocol, server, port, TLS, user name, ways to sign in
	}{
		"the recommended one first": {"gmail", "support@gmail.com", []string{
			"imap imap.gmail.com:993 implicit support@gmail.com oauth,app_password",
			"pop3 pop.gmail.com:995 implicit support@gmail.com oauth,app_password",
			"smtp smtp.gmail.com:465 implicit support@gmail.com oauth,app_password",
			"smtp smtp.gmail.com:587 starttls support@gmail.com oauth,app_password",
		}},
		"the user name before the @, but for sending": {"icloud", "anna@icloud.com", []string{
			"imap imap.mail.me.com:993 implicit anna app_password",
			"smtp smtp.mail.me.com:587 starttls anna@icloud.com app_password",
		}},
		"a domain of one's own has no such user name": {"icloud", "anna@example.net", []string{
			"imap imap.mail.me.com:993 implicit anna@example.net app_password",
			"smtp smtp.mail.me.com:587 starttls anna@example.net app_password",
		}},
		"the domain in the host, without the tag": {"netease", "anna+shop@126.com", []string{
			"imap imap.126.com:993 implicit anna@126.com app_password",
			"pop3 pop.126.com:995 implicit anna@126.com app_password",
			"smtp smtp.126.com:465 implicit anna@126.com app_password",
		}},
		"an IDN in the host": {"cpanel", "anna@bücher.example", []string{
			"imap mail.xn--bcher-kva.example:993 implicit anna@bücher.example password",
			"pop3 mail.xn--bcher-kva.example:995 implicit anna@bücher.example password",
			"smtp mail.xn--bcher-kva.example:465 implicit anna@bücher.example password",
			"smtp mail.xn--bcher-kva.example:587 starttls anna@bücher.example password",
		}},
		"a password for sending only": {"microsoft365", "anna@example.net", []string{
			"imap outlook.office365.com:993 implicit anna@example.net oauth",
			"pop3 outlook.office365.com:995 implicit anna@example.net oauth",
			"smtp smtp.office365.com:587 starttls anna@example.net oauth,password",
		}},
		"servers that only discovery finds": {"exchange_onprem", "anna@example.net", nil},
		"a provider without any":            {"tuta", "anna@tuta.com", nil},
		"no address":                        {"gmail", "support", nil},
		"no local part":                     {"gmail", "@gmail.com", nil},
		"a plus alone": {"sapo", "+1@sapo.pt", []string{
			"imap imap.sapo.pt:993 implicit +1@sapo.pt password",
			"pop3 pop.sapo.pt:995 implicit +1@sapo.pt password",
			"smtp smtp.sapo.pt:465 implicit +1@sapo.pt password",
		}},
	}
	var p Presets
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			preset, ok := p.ByID(test.id)
			if !ok {
				t.Fatal("not known")
			}
			var got []string
			for _, c := range preset.ServersFor(test.address) {
				got = append(got, fmt.Sprintf("%s %s:%d %s %s %s", c.Protocol, c.Host, c.Port, c.TLS, c.Username, strings.Join(c.SignIns, ",")))
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEveryProviderHasServersForItsAddresses(t *testing.T) {
	var presets Presets
	for _, p := range presets.All() {
		for _, domain := range p.Domains {
			var read, send bool
			for _, c := range p.ServersFor("anna@" + domain) {
				read, send = read || c.Protocol != postroom.SMTP, send || c.Protocol == postroom.SMTP
				if strings.ContainsAny(c.Host, "{}") || c.Username == "" || len(c.SignIns) == 0 {
					t.Errorf("%s: %+v", domain, c)
				}
			}
			if want := p.Status != "no_protocols"; read != want || send != want {
				t.Errorf("%s: reads %t, sends %t, want %t", domain, read, send, want)
			}
		}
	}
}

func TestAProviderIsCalledAsPeopleDo(t *testing.T) {
	var presets Presets
	for id, want := range map[string]string{
		"gmx_net": "GMX", "outlook_com": "Outlook.com", "microsoft365": "Microsoft 365", "att": "AT&T", "gmail": "Gmail",
		"t_online": "Telekom", "zoho_eu": "Zoho Mail", "orange_fr": "Orange", "mail_com": "mail.com", "no such": "",
	} {
		p, _ := presets.ByID(id)
		if got := p.Called(); got != want {
			t.Errorf("%s is called %q, want %q", id, got, want)
		}
	}
	for _, p := range presets.All() {
		if called := p.Called(); called == "" || strings.ContainsAny(called, "()/") {
			t.Errorf("%s is called %q", p.ID, called)
		}
	}
}
