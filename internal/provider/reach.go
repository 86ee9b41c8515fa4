package provider

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"
)

// A Resolver asks the DNS. [*net.Resolver] is one.
type Resolver interface {
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
	LookupSRV(ctx context.Context, service, proto, name string) (cname string, addrs []*net.SRV, err error)
	LookupTXT(ctx context.Context, name string) ([]string, error)
	LookupNS(ctx context.Context, name string) ([]*net.NS, error)
	LookupCNAME(ctx context.Context, host string) (string, error)
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// maxAddresses is how many addresses of one name are tried.
const maxAddresses = 4

// privateError says that a name leads into a network of somebody's own.
type privateError struct{ host string }

func (e *privateError) Error() string {
	return e.host + " is at an address of a private network, which is not asked"
}

func (f *Finder) resolver() Resolver {
	if f.Resolver != nil {
		return f.Resolver
	}
	return net.DefaultResolver
}

// rooted is a name that no search list of this computer is added to.
func rooted(name string) string { return name + "." }

// addresses returns where a host is: the addresses that may be dialled, first one of
// each family. A host without any is a [*privateError], or an error of the DNS.
func (f *Finder) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return f.allowed(host, []netip.Addr{a})
	}
	if !f.AllowPrivate && isLocalName(host) {
		return nil, &privateError{host}
	}
	list, err := f.resolver().LookupNetIP(ctx, "ip", rooted(host))
	if err != nil {
		return nil, err
	}
	return f.allowed(host, list)
}

func (f *Finder) allowed(host string, list []netip.Addr) ([]netip.Addr, error) {
	var v6, v4 []netip.Addr
	for _, a := range list {
		switch a = a.Unmap(); {
		case !f.AllowPrivate && !isPublic(a), a.IsMulticast(), a.IsUnspecified():
		case a.Is4():
			v4 = append(v4, a)
		default:
			v6 = append(v6, a)
		}
	}
	if len(v4)+len(v6) == 0 {
		return nil, &privateError{host}
	}
	var mixed []netip.Addr
	for i := range max(len(v4), len(v6)) {
		if i < len(v6) {
			mixed = append(mixed, v6[i])
		}
		if i < len(v4) {
			mixed = append(mixed, v4[i])
		}
	}
	return slices.Clip(mixed[:min(len(mixed), maxAddresses)]), nil
}

// headStart is how much earlier one address is dialled than the next (RFC 8305
// section 5).
const headStart = 250 * time.Millisecond

// dial connects to the first of addresses that answers. They were checked, and are what
// is dialled: a name that leads elsewhere a moment later changes nothing.
func (f *Finder) dial(ctx context.Context, addresses []netip.Addr, port int) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type outcome struct {
		conn net.Conn
		err  error
	}
	outcomes := make(chan outcome)
	next := make(chan struct{}, len(addresses)) // a failure starts the next one
	for i, a := range addresses {
		go func() {
			if i > 0 && !waitFor(ctx, time.Duration(i)*headStart, next) {
				outcomes <- outcome{err: ctx.Err()}
				return
			}
			conn, err := f.dialOne(ctx, netip.AddrPortFrom(a, uint16(port)))
			if err != nil {
				next <- struct{}{}
			}
			outcomes <- outcome{conn, err}
		}()
	}
	var won net.Conn
	var failures []error
	for range addresses {
		switch o := <-outcomes; {
		case o.err != nil:
			failures = append(failures, o.err)
		case won == nil:
			won = o.conn
			cancel() // the others are not needed
		default:
			o.conn.Close()
		}
	}
	if won == nil {
		return nil, errors.Join(failures...)
	}
	return won, nil
}

// waitFor waits until it is time, or somebody has failed; false when ctx ends.
func waitFor(ctx context.Context, pause time.Duration, failed <-chan struct{}) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
	case <-failed:
	}
	return true
}

func (f *Finder) dialOne(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	if f.Dial != nil {
		return f.Dial(ctx, "tcp", to.String())
	}
	return new(net.Dialer).DialContext(ctx, "tcp", to.String())
}

// dialHost is what the HTTP client connects with: to 80 and 443 only.
func (f *Finder) dialHost(ctx context.Context, _, hostPort string) (net.Conn, error) {
	host, text, err := net.SplitHostPort(hostPort)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(text)
	if err != nil || port != 80 && port != 443 {
		return nil, errPort
	}
	addresses, err := f.addresses(ctx, host)
	if err != nil {
		return nil, err
	}
	return f.dial(ctx, addresses, port)
}

// isNoName says whether an error means that a name, or what was asked of it, is not
// there, so that asking again is of no use.
func isNoName(err error) bool {
	var d *net.DNSError
	return errors.As(err, &d) && d.IsNotFound
}
