package alert

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// A cause is what somebody has to do something about, with the mailboxes that it
// concerns now.
type cause struct {
	key  string // equal for what has the same cause
	kind postroom.AlertKind
	// isOwn: each mailbox has trouble of its own that looks the same. What looks the same
	// and begins within hours is told once; what begins later is another alert.
	isOwn   bool
	members []member
	fault   postroom.Fault
	app     postroom.OAuthAppID
	appName string
	host    string
	count   int64     // of mails, with AlertQuarantined
	title   string    // with AlertAhead
	page    string    // of ours, where it is mended; empty: that of the alerts
	endsAt  time.Time // with AlertAhead
	// isOld: it may go on, and is not new enough to be raised.
	isOld bool
}

// A member is a mailbox that a cause concerns.
type member struct {
	id            postroom.MailboxID
	name, address string
	owner         string // an address; empty: nobody
	byToken       bool   // a registration opens it
	// isFresh: it may pass by itself, so that nobody is told of it yet.
	isFresh bool
}

// shared are the causes that lie outside of the mailbox: in the registration that opens
// it, or in the server.
var shared = []postroom.Class{
	postroom.ClientMisconfigured, postroom.AdminConsentRequired,
	postroom.TLSUntrusted, postroom.TLSMismatch, postroom.DNS, postroom.Refused, postroom.Timeout, postroom.ProtocolMismatch,
	postroom.ServerBusy, postroom.RateLimited, postroom.TooManyConnections,
}

// causeOf is the cause of a mailbox's trouble, with this mailbox alone in it.
func causeOf(t store.TroubledMailbox) cause {
	c := cause{fault: t.Fault, app: t.App, appName: t.AppName, host: t.Host}
	c.members = []member{{id: t.ID, name: t.Name, address: t.Address, owner: t.OwnerAddress, byToken: t.App != 0}}
	place := "host:" + t.Host
	if t.App != 0 {
		place = "app:" + t.App.String()
	}
	switch t.State {
	case postroom.MailboxDelayed: // what a server says meanwhile changes from try to try
		c.kind, c.key, c.app = postroom.AlertDelay, "delayed:host:"+t.Host, 0
		return c
	case postroom.MailboxNeedsSignIn:
		c.kind = postroom.AlertSignIn
	default:
		c.kind = postroom.AlertRepair
	}
	if slices.Contains(shared, t.Fault.Class) {
		if t.Fault.Class != postroom.ClientMisconfigured && t.Fault.Class != postroom.AdminConsentRequired {
			place, c.app = "host:"+t.Host, 0
		}
	} else {
		c.isOwn = true
	}
	class := t.Fault.Class
	if class == postroom.TokenExpired { // the mail server's words for what the provider calls revoked
		class = postroom.TokenRevoked
	}
	c.key = fmt.Sprintf("%s:%s:%s", c.kind, class, place)
	if t.Fault.Class == postroom.Unknown || t.Fault.Class == "" { // only the words tell what it is
		sum := sha256.Sum256([]byte(t.Fault.Explanation))
		c.key += ":" + hex.EncodeToString(sum[:8])
	}
	return c
}

// causesOf puts mailboxes with the same cause together, in the order in which they come.
func causesOf(troubled []store.TroubledMailbox, isFresh func(store.TroubledMailbox) bool) []cause {
	var causes []cause
	index := make(map[string]int)
	for _, t := range troubled {
		c := causeOf(t)
		c.members[0].isFresh = isFresh(t)
		if i, ok := index[c.key]; ok {
			causes[i].members = append(causes[i].members, c.members[0])
			continue
		}
		index[c.key] = len(causes)
		causes = append(causes, c)
	}
	return causes
}

func quarantined(s store.SetAside) cause {
	return cause{
		key: "quarantined:" + s.Mailbox.String(), kind: postroom.AlertQuarantined, count: s.Count,
		members: []member{{id: s.Mailbox, name: s.Name}}, page: "/mailboxes/" + s.Mailbox.String() + "/ledger",
		fault: postroom.Fault{
			Kind: postroom.NeedsRepair, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
			Explanation: countOf(s.Count, "mail", "mails") + " of " + s.Name + " could not be made into an issue, and " + isAre(s.Count) + " set aside.",
			Remedy:      "Open the ledger of the mailbox: it says why, has the original, and can try again. The mailbox itself goes on being read.",
		},
	}
}

func unbalanced(u store.Unbalanced) cause {
	return cause{
		key: "unbalanced:" + u.Mailbox.String(), kind: postroom.AlertUnbalanced,
		members: []member{{id: u.Mailbox, name: u.Name}}, page: "/mailboxes/" + u.Mailbox.String() + "/ledger",
		fault: postroom.Fault{
			Kind: postroom.NeedsRepair, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
			Explanation: "The ledger of " + u.Name + " does not account for every message that its server shows.",
			Remedy:      "Open the ledger of the mailbox: it lists the differences. Rescan the mailbox to bring in what is missing.",
		},
	}
}

func lackOfSpace(f postroom.Fault) cause {
	return cause{key: "space", kind: postroom.AlertSpace, fault: f, page: "/health"}
}

// ahead is what ends soon. Another end of the same thing is another cause.
func ahead(e postroom.Expiry) cause {
	c := cause{
		key: "ahead:" + e.Key + "@" + e.At.UTC().Format(time.DateOnly), kind: postroom.AlertAhead,
		app: e.App, title: e.Title, page: e.Page, endsAt: e.At.Truncate(time.Microsecond), // as it is kept
		fault: postroom.Fault{
			Kind: postroom.NeedsRepair, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
			Explanation: e.Words, Remedy: e.Remedy, Link: e.Link,
		},
	}
	for _, m := range e.Mailboxes {
		c.members = append(c.members, member{id: m})
	}
	return c
}
