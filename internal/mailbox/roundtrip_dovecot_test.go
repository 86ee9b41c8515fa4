package mailbox

import (
	"bytes"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/testbed"
)

// A round trip on Dovecot leaves the mail of others as it was, to the last byte.
func TestRoundTripOnDovecot(t *testing.T) {
	for name, protocol := range map[string]postroom.Protocol{"by IMAP": postroom.IMAP, "by POP3": postroom.POP3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := testbed.Dovecot(t, testbed.DovecotOptions{Users: map[string]string{"support@example.net": "right"}})
			others := [][]byte{simulator.Generated(3, 1), simulator.Generated(3, 2), simulator.Generated(3, 3)}
			d.Deliver("support@example.net", "INBOX", others...)
			d.Deliver("support@example.net", "Sent", others[0])
			before := [][][]byte{d.Messages("support@example.net", "INBOX"), d.Messages("support@example.net", "Sent")}
			r := elsewhere(t, func(_ *round, m *postroom.Mailbox) {
				port := d.IMAPSPort
				if protocol == postroom.POP3 {
					port = d.POP3SPort
				}
				m.Incoming.Protocol = protocol
				m.Incoming.ServerSettings = postroom.ServerSettings{Host: d.Host, Port: port, TLS: postroom.TLSImplicit, Username: "support@example.net", CACertificate: d.CAPEM}
			}, func(_ *round, raw []byte) {
				d.Deliver("support@example.net", "Sent", raw)
				d.Deliver("support@example.net", "INBOX", raw)
			})
			trip := r.trip(RoundTripOptions{Patience: time.Minute})
			r.wants(trip, through, "")
			r.wantsIssue(trip.Issue, true)
			for i, folder := range []string{"INBOX", "Sent"} {
				after := d.Messages("support@example.net", folder)
				if protocol == postroom.POP3 && folder == "Sent" {
					after = after[:len(before[i])] // which POP3 does not show
				}
				if len(after) != len(before[i]) {
					t.Fatalf("%s holds %d messages, and held %d", folder, len(after), len(before[i]))
				}
				for n := range after {
					if !bytes.Equal(after[n], before[i][n]) {
						t.Errorf("message %d of %s is another one now", n+1, folder)
					}
				}
			}
			r.wantsBalance()
		})
	}
}
