package simulator

import (
	"bytes"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// OAuthFaults say how the endpoints go wrong that programs ask. Those of the browser do not.
type OAuthFaults struct {
	// For are the requests it concerns, as [OAuthServer.Requests] counts them; empty: all.
	For   []string
	Times int // how often; 0: until the faults change

	Status      int // with Body as the answer; 0: 200 where there is a Body
	Body        string
	ContentType string        // empty: application/json
	RetryAfter  time.Duration // 0: not said

	Hang  bool // no answer ever comes
	Reset bool // the connection is reset
	// Carried: the request is carried out first, and its answer is lost or replaced.
	Carried bool
}

// BadGateway is the page of a server in front of the real one.
const BadGateway = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"

// SetFaults makes requests go wrong from now on; the first that concerns a request holds.
// None ends it.
func (p *OAuthServer) SetFaults(all ...OAuthFaults) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.faults = nil
	for _, f := range all {
		p.state.faults = append(p.state.faults, &f)
	}
}

// Requests counts what was asked: tokens by grant type ("refresh_token",
// "authorization_code", "client_credentials", …), and authorize, device, revoke,
// introspect, userinfo, keys, discover, and page for those that people see.
func (p *OAuthServer) Requests() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.state.counts)
}

// counted counts what comes in, lets it go wrong, and serves it under the lock.
func (p *OAuthServer) counted(name string, serve http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		if err := r.ParseForm(); err != nil {
			p.refuse(w, refusalOf(badRequest))
			return
		}
		asked := name
		if asked == "" {
			asked = r.PostForm.Get("grant_type")
		}
		p.mu.Lock()
		p.state.counts[asked]++
		f := p.fault(asked)
		answer := &held{header: w.Header(), status: http.StatusOK}
		if f != nil {
			answer.header = http.Header{}
		}
		if f == nil || f.Carried {
			serve(answer, r)
		}
		p.mu.Unlock()
		if f != nil {
			p.goWrong(w, r, *f)
			return
		}
		answer.send(w)
	}
}

// fault is the one that concerns a request, spent; nil: none. Pages never have one.
func (p *OAuthServer) fault(asked string) *OAuthFaults {
	for i, f := range p.state.faults {
		if asked == "authorize" || asked == "page" || len(f.For) > 0 && !slices.Contains(f.For, asked) {
			continue
		}
		if f.Times > 0 {
			if f.Times--; f.Times == 0 {
				p.state.faults = slices.Delete(p.state.faults, i, i+1)
			}
		}
		return f
	}
	return nil
}

// goWrong answers as a fault has it.
func (p *OAuthServer) goWrong(w http.ResponseWriter, r *http.Request, f OAuthFaults) {
	switch {
	case f.Hang:
		select {
		case <-r.Context().Done():
		case <-p.stop:
		}
		panic(http.ErrAbortHandler)
	case f.Reset:
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		if tcp, ok := connection.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // which resets
		}
		_ = connection.Close()
		return
	}
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((f.RetryAfter+time.Second-1)/time.Second)))
	}
	kind := f.ContentType
	if kind == "" {
		kind = "application/json"
	}
	w.Header().Set("Content-Type", kind)
	if f.Status != 0 {
		w.WriteHeader(f.Status)
	}
	_, _ = w.Write([]byte(f.Body)) // nobody may listen any more
}

// held is an answer that is sent when the lock is free, so that a client that does not
// read holds nobody up; or never.
type held struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (h *held) Header() http.Header         { return h.header }
func (h *held) WriteHeader(status int)      { h.status = status }
func (h *held) Write(b []byte) (int, error) { return h.body.Write(b) }

func (h *held) send(w http.ResponseWriter) {
	w.WriteHeader(h.status)
	_, _ = w.Write(h.body.Bytes()) // nobody may listen any more
}
