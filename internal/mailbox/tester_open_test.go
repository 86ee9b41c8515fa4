package mailbox

import (
	"strings"
	"testing"

	"github.com/postroom/postroom"
)

// A server may send lines of a megabyte before anybody has signed in.
func TestOnlySoMuchIsKeptOfWhatAServerCanDo(t *testing.T) {
	r := Tester{Explainer: explainer()}.alone(IncomingSide, mailboxOn(t, func(m *postroom.Mailbox) { m.Incoming.Host = "imap.example.net" }), password("right"))
	for range 2 * maxOffers {
		r.hearServer("* CAPABILITY IMAP4rev1 AUTH=PLAIN " + strings.Repeat("X ", 1<<15))
	}
	bytes := 0
	for _, line := range r.opening.offers {
		bytes += len(line)
	}
	if bytes == 0 || bytes > maxOffers*maxOffer {
		t.Errorf("%d bytes are kept", bytes)
	}
	if words := abilities(postroom.IMAP, r.opening.offers); !strings.Contains(words, "one signs in by PLAIN.") {
		t.Errorf("the server can do this: %s", words)
	}
}
