package provider

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
)

func TestAnnouncedChangesOfAMailbox(t *testing.T) {
	mailbox := func(protocol postroom.Protocol, in, out string) postroom.Mailbox {
		m := postroom.Mailbox{Address: "anna@example.net"}
		m.Incoming.Protocol, m.Incoming.Host = protocol, in
		if out != "" {
			m.Outgoing = &postroom.OutgoingSettings{ServerSettings: postroom.ServerSettings{Host: out}}
		}
		return m
	}
	const (
		office   = "Exchange Online ends passwords for sending"
		workmail = "Amazon WorkMail ends"
	)
	day := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 12, 0, 0, 0, time.UTC) }
	today := day(2026, 11, 21)
	tests := map[string]struct {
		m    postroom.Mailbox
		kind string
		now  time.Time
		want []string
	}{
		"sending with a password":              {mailbox(postroom.IMAP, "outlook.office365.com", "smtp.office365.com"), "password", today, []string{office}},
		"sending with an app password":         {mailbox(postroom.IMAP, "outlook.office365.com", "smtp.office365.com"), "app_password", today, []string{office}},
		"sending after signing in":             {mailbox(postroom.IMAP, "outlook.office365.com", "smtp.office365.com"), "oauth", today, nil},
		"reading only":                         {mailbox(postroom.IMAP, "outlook.office365.com", ""), "password", today, nil},
		"sending through somebody else":        {mailbox(postroom.IMAP, "outlook.office365.com", "smtp.example.net"), "password", today, nil},
		"reading elsewhere":                    {mailbox(postroom.IMAP, "imap.example.net", "smtp.office365.com"), "password", today, []string{office}},
		"the day before":                       {mailbox(postroom.IMAP, "outlook.office365.com", "smtp.office365.com"), "password", day(2026, 12, 30), []string{office}},
		"three weeks after":                    {mailbox(postroom.IMAP, "outlook.office365.com", "smtp.office365.com"), "password", day(2027, 1, 21), []string{office}},
		"two months after":                     {mailbox(postroom.IMAP, "outlook.office365.com", "smtp.office365.com"), "password", day(2027, 2, 28), nil},
		"WorkMail in another region":           {mailbox(postroom.IMAP, "imap.mail.eu-west-1.awsapps.com", ""), "password", today, []string{workmail}},
		"WorkMail, whatever the sign-in":       {mailbox(postroom.IMAP, "imap.mail.us-east-1.awsapps.com", ""), "oauth", today, []string{workmail}},
		"WorkMail for sending only, and first": {mailbox(postroom.POP3, "pop.example.net", "smtp.mail.us-east-1.awsapps.com"), "password", today, []string{workmail}},
		"two providers, the earlier one first": {mailbox(postroom.IMAP, "imap.mail.us-east-1.awsapps.com", "smtp.office365.com"), "password", today, []string{office, workmail}},
		"nothing announced":                    {mailbox(postroom.IMAP, "imap.gmail.com", "smtp.gmail.com"), "app_password", today, nil},
		"a server that nobody knows":           {mailbox(postroom.IMAP, "mail.example.net", "mail.example.net"), "password", today, nil},
		"a draft without a server":             {mailbox("", "", ""), "", today, nil},
	}
	var presets Presets
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, c := range presets.ChangesFor(test.m, test.kind, test.now) {
				got = append(got, c.Short)
				if c.On.IsZero() || c.Source == "" || c.Remedy == "" || c.Words == "" {
					t.Errorf("%+v is not whole", c)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
