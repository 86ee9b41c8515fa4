package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/alert"
	"github.com/postroom/postroom/internal/api"
	"github.com/postroom/postroom/internal/credential"
	"github.com/postroom/postroom/internal/store"
)

// tokenVariable names the variable that holds the token for a server elsewhere.
const tokenVariable = "POSTROOM_TOKEN"

// mailboxFlags say on which Postroom a command works: on data, or on a server
// through its API.
type mailboxFlags struct {
	dataFlags
	findFlags
	Server         string `help:"Work on a running Postroom through its API instead, with the token in the variable POSTROOM_TOKEN or in --token-file." placeholder:"URL"`
	TokenFile      string `help:"A file that holds the token for --server." type:"existingfile" placeholder:"FILE"`
	AllowPlaintext bool   `help:"Allow mail servers without encryption on other computers."`
	PublicURL      string `help:"The address under which people reach the server, for what leads there." placeholder:"URL"`
	JSON           bool   `name:"json" help:"Print the result as the API answers it."`
}

// A client speaks to the API of a server elsewhere, or to the same API of this
// very process: the command line can do what the API can, and nothing else.
type client struct {
	base  string // up to and with the version
	token string
	http  *http.Client
	// attended says that some process reads mailboxes on the data.
	attended bool
	close    func() error
}

// atMailboxes opens the way to a Postroom, does something with it and closes it.
func (f mailboxFlags) atMailboxes(ctx context.Context, t terminal, do func(*client) error) (err error) {
	var c *client
	if f.Server != "" {
		c, err = f.elsewhere(t)
	} else {
		c, err = f.here(ctx)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	return do(c)
}

// addressSetting is where the server on some data says under which address people
// reach it.
const addressSetting = "address"

// publicURL is where people reach the server on this data: as told, or as the server
// itself said when it last started.
func (f mailboxFlags) publicURL(ctx context.Context, db *store.DB) (string, error) {
	if f.PublicURL != "" {
		return publicURL(f.PublicURL)
	}
	said, ok, err := db.Setting(ctx, addressSetting)
	if err != nil || ok {
		return said, err
	}
	return "http://127.0.0.1:8025", nil // where it will listen if nobody chooses anything else
}

func (f mailboxFlags) elsewhere(t terminal) (*client, error) {
	u, err := url.Parse(strings.TrimRight(f.Server, "/"))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, wrongUse{"--server wants an address such as https://postroom.example.net."}
	}
	token := os.Getenv(tokenVariable)
	if f.TokenFile != "" {
		text, err := os.ReadFile(f.TokenFile)
		if err != nil {
			return nil, fmt.Errorf("read the token: %w", err)
		}
		token = string(text)
	}
	if token = strings.TrimSpace(token); token == "" {
		return nil, wrongUse{"--server needs a token: put it into the variable " + tokenVariable + ", or name its file with --token-file."}
	}
	if u.Scheme == "http" && !isLoopback(u.Hostname()) {
		fmt.Fprintf(t.Err, "Note: the connection to %s is not encrypted; passwords and the token cross the network in clear.\n", u.Host)
	}
	return &client{
		base: u.String() + api.Prefix, token: token, attended: true,
		http: &http.Client{Timeout: 2 * time.Minute}, close: func() error { return nil },
	}, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// here opens the data and answers the API's requests in this process, for the one
// who may read the data anyway.
func (f mailboxFlags) here(ctx context.Context) (*client, error) {
	log := slog.New(slog.DiscardHandler)
	in, err := f.open(ctx, log)
	if err != nil {
		return nil, err
	}
	attended := f.isServed()
	address, err := f.publicURL(ctx, in.DB)
	if err != nil {
		return nil, errors.Join(err, in.Close())
	}
	explainer := newExplainer()
	c := newCredentials(in, explainer, address, "command line", log)
	desk := c.desk(in, explainer)
	desk.AllowPlaintext, desk.Finder, desk.Unattended = f.AllowPlaintext, f.finder(), !attended
	told := &alert.Desk{Store: in.DB, Ring: in.Ring, Base: address, Ahead: c.forecast.Ahead, SendBy: desk.Post, AllowPlaintext: f.AllowPlaintext, Log: log}
	c.signIns.Mail = func(ctx context.Context, m credential.LinkMail) error {
		return told.Notify(ctx, postroom.NoticeLink, m.To, m.Subject, m.Text, m.Link)
	}
	server := &api.Server{
		Authenticate: func(context.Context, string) (postroom.Viewer, error) {
			return postroom.Viewer{Scope: postroom.ScopeAdmin, Name: "the command line"}, nil
		},
		Read: in.DB.Reader(), Mailboxes: desk, Users: in.DB.Users,
		Apps: c.apps, SignIns: c.signIns, Alerts: told, Forecast: c.forecast.Ahead,
		Base: func(*http.Request) string { return address },
		Log:  log,
	}
	return &client{
		base: "http://localhost" + api.Prefix, token: "data", attended: attended,
		http: &http.Client{Transport: within{server.Handler()}}, close: in.Close,
	}, nil
}

// isServed says whether a server uses the data directory.
func (f mailboxFlags) isServed() bool {
	lock, err := store.LockDir(f.Data)
	if err != nil {
		return store.IsLocked(err)
	}
	_ = lock.Unlock() // it was only to see whether it is free
	return false
}

// within answers requests by a handler of this process.
type within struct{ handler http.Handler }

// RoundTrip gives the request to the handler. The body is read as it is written; to
// close it waits for the handler.
func (w within) RoundTrip(r *http.Request) (*http.Response, error) {
	body, out := io.Pipe()
	answer := &written{header: make(http.Header), begun: make(chan *http.Response, 1), out: out}
	answer.response = &http.Response{Request: r, Body: &heard{body, make(chan struct{})}, ContentLength: -1}
	go func() {
		defer close(answer.response.Body.(*heard).ended)
		defer func() {
			if why := recover(); why != nil {
				out.CloseWithError(fmt.Errorf("the answer was broken off: %v", why))
				answer.WriteHeader(http.StatusInternalServerError)
			}
		}()
		w.handler.ServeHTTP(answer, r)
		answer.WriteHeader(http.StatusOK)
		out.Close()
	}()
	return <-answer.begun, nil
}

// heard is the body of an answer within the process.
type heard struct {
	*io.PipeReader
	ended chan struct{}
}

// Close waits until the handler has ended. What it still writes is lost.
func (h *heard) Close() error {
	err := h.PipeReader.Close()
	<-h.ended
	return err
}

// written is an answer on its way within the process.
type written struct {
	header   http.Header
	once     sync.Once
	response *http.Response
	begun    chan *http.Response
	out      *io.PipeWriter
}

func (a *written) Header() http.Header { return a.header }

// WriteHeader begins the answer; only the first call counts.
func (a *written) WriteHeader(status int) {
	a.once.Do(func() {
		a.response.StatusCode, a.response.Header = status, a.header.Clone()
		a.begun <- a.response
	})
}

func (a *written) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.out.Write(b)
}

// Flush has nothing to do: what is written is read at once.
func (a *written) Flush() {}

// maxAnswer is how much of an answer is read, in bytes.
const maxAnswer = 64 << 20

// call sends a request and reads the answer into into, if that is not nil. It
// returns the answer as it came. What the API refuses is a Fault.
func (c *client) call(ctx context.Context, method, path string, body, into any) (json.RawMessage, error) {
	r, err := c.request(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, c.unreachable(err)
	}
	defer answer.Body.Close()
	return c.result(answer, into)
}

func (c *client) request(ctx context.Context, method, path string, body any) (*http.Request, error) {
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		sent = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, sent)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	r.Header.Set("Content-Type", "application/json")
	if method == http.MethodPatch {
		r.Header.Set("Content-Type", "application/merge-patch+json")
	}
	return r, nil
}

// result reads an answer into into, if that is not nil.
func (c *client) result(answer *http.Response, into any) (json.RawMessage, error) {
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, c.unreachable(err)
	}
	if answer.StatusCode >= 300 {
		return nil, problem(answer.StatusCode, text)
	}
	if into == nil || len(text) == 0 {
		return text, nil
	}
	if err := json.Unmarshal(text, into); err != nil {
		return nil, notPostroom(c.base, err)
	}
	return text, nil
}

func (c *client) unreachable(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return &postroom.Fault{
		Kind: postroom.Delayed, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
		Explanation: fmt.Sprintf("Postroom at %s does not answer: %v.", strings.TrimSuffix(c.base, api.Prefix), rootCause(err)),
		Remedy:      "Check the address given with --server, and whether “postroom serve” is running there.",
		Err:         err,
	}
}

func notPostroom(base string, err error) error {
	return &postroom.Fault{
		Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser,
		Explanation: "What answers at " + strings.TrimSuffix(base, api.Prefix) + " is not Postroom.",
		Remedy:      "Check the address given with --server.",
		Err:         err,
	}
}

// problem is the Fault in an answer that is none of success.
func problem(status int, text []byte) error {
	var p api.Problem
	if err := json.Unmarshal(text, &p); err != nil || p.Explanation == "" {
		return notPostroom("that address", fmt.Errorf("status %d", status))
	}
	kind := postroom.Delayed
	switch status {
	case http.StatusUnprocessableEntity, http.StatusBadRequest:
		kind = postroom.Invalid
	case http.StatusNotFound:
		kind = postroom.NotFound
	case http.StatusConflict:
		kind = postroom.Conflict
	case http.StatusUnauthorized:
		kind = postroom.Unauthenticated
	case http.StatusForbidden:
		kind = postroom.Forbidden
	}
	return &postroom.Fault{
		Kind: kind, Class: postroom.Class(p.Class), FixBy: postroom.FixBy(p.FixBy),
		Explanation: p.Explanation, Remedy: p.Remedy, Field: p.Field,
	}
}
