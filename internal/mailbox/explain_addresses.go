package mailbox

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
)

const (
	maxAddresses   = 4 // of a server are tried one by one
	addressTimeout = 2 * time.Second
)

// What is said of a server of which not every address works; %s are addresses.
const (
	someAddresses       = "%s answers at %s, but not at %s." // host, addresses, addresses
	remedySomeAddresses = "Ask whoever runs the server why not all of its addresses work. Until then some tries succeed and some do not."
	remedyNoIPv6        = "IPv6 does not work between here and there. The administrator of this network can repair it, or switch it off for the computer that runs Postroom; until then some tries succeed and some do not."
	alsoTried           = " None of its addresses answers: %s."
)

// byAddress adds to a failure of the network, at a server that has several addresses,
// at which of them it answers. Somebody who reads over a broken IPv6 is told so.
func (r *test) byAddress(ctx context.Context, err error, f *postroom.Fault) *postroom.Fault {
	refusal, ok := mail.RefusalOf(err)
	if !ok || len(r.addresses) < 2 || ctx.Err() != nil || refusal.Reply != "" || !r.mayBeOfAddress(refusal.Phase, f.Class) {
		return f
	}
	answers, silent := r.tryEach(ctx, r.addresses[:min(len(r.addresses), maxAddresses)])
	with := *f
	switch {
	case len(silent) == 0:
		return f // it was of one moment, or lies deeper
	case len(answers) == 0:
		with.Remedy += fmt.Sprintf(alsoTried, listed(silent))
		return &with
	}
	with.Kind, with.Field, with.FixBy = postroom.Delayed, "", postroom.FixByMailboxAdmin
	with.Explanation = fmt.Sprintf(someAddresses, r.m.Incoming.Host, listed(answers), listed(silent))
	with.Remedy = remedySomeAddresses
	if !slices.ContainsFunc(silent, netip.Addr.Is4) && slices.ContainsFunc(answers, netip.Addr.Is4) {
		with.Remedy, with.FixBy = remedyNoIPv6, postroom.FixByAppAdmin
	}
	return &with
}

// mayBeOfAddress says whether another address of the same server might do better.
func (r *test) mayBeOfAddress(phase mail.Phase, class postroom.Class) bool {
	switch class {
	case postroom.Refused, postroom.Timeout, postroom.ServerBusy:
		return phase == mail.PhaseConnect || phase == mail.PhaseGreeting
	}
	return false
}

// tryEach connects to each address and waits for the server's first word, all at once.
func (r *test) tryEach(ctx context.Context, addresses []netip.Addr) (answers, silent []netip.Addr) {
	ctx, cancel := context.WithTimeout(ctx, addressTimeout)
	defer cancel()
	ok := make([]bool, len(addresses))
	var all sync.WaitGroup
	for n, a := range addresses {
		all.Go(func() { ok[n] = r.speaks(ctx, a) })
	}
	all.Wait()
	for n, a := range addresses {
		if a = a.Unmap(); ok[n] {
			answers = append(answers, a)
		} else {
			silent = append(silent, a)
		}
	}
	return answers, silent
}

// speaks says whether a server begins to speak at an address, encrypted as the mailbox
// has it.
func (r *test) speaks(ctx context.Context, a netip.Addr) bool {
	e := r.endpoint()
	dial := e.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	e.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return dial(ctx, network, net.JoinHostPort(a.Unmap().String(), strconv.Itoa(e.Port)))
	}
	conn, err := mail.Dial(ctx, e)
	if err != nil {
		return false
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	n, _ := conn.Read(make([]byte, 1))
	return n > 0
}

func listed(addresses []netip.Addr) string {
	var names []string
	for _, a := range addresses {
		names = append(names, a.String())
	}
	return strings.Join(names, ", ")
}
