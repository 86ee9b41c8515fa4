package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/access"
	"github.com/postroom/postroom/internal/alert"
	"github.com/postroom/postroom/internal/api"
	"github.com/postroom/postroom/internal/credential"
	"github.com/postroom/postroom/internal/fetch"
	"github.com/postroom/postroom/internal/intake"
	"github.com/postroom/postroom/internal/issue"
	"github.com/postroom/postroom/internal/mail/mime"
	"github.com/postroom/postroom/internal/mailbox"
	"github.com/postroom/postroom/internal/provider"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/web"
	"github.com/postroom/postroom/internal/work"
)

// A process is one running server: what it was told, and its rooms.
type process struct {
	In             *installation
	Node           string // this node's name among the nodes
	Alone          bool   // no other node can share the database
	Listener       net.Listener
	Certificate    *tls.Certificate // nil: plain HTTP
	PublicURL      string
	Proxies        []netip.Prefix // in front of the listener
	AllowPlaintext bool
	Finder         *provider.Finder
	MaxMessage     int64 // bytes
	MinFree        int64 // bytes
	CommandTimeout time.Duration
	DeadAfter      time.Duration
	HeartbeatURL   postroom.Secret // empty: nobody watches from outside
	Base           base
	Log            *slog.Logger

	credentials
	proofs    *web.Proofs
	alerts    *alert.Desk
	door      *access.Door
	mailboxes *mailbox.Desk
	issues    *issue.Desk
	floor     *floor
	aftermath *aftermath
	wakeFleet chan struct{}
	arrived   chan struct{}
	unknown   *mailbox.UnknownReplies
}

// prepare makes the rooms. They hold nothing that needs an end.
func (p *process) prepare() {
	p.wakeFleet, p.arrived = make(chan struct{}, 1), make(chan struct{}, 1)
	p.door = &access.Door{Store: p.In.DB, Log: p.Log}
	p.issues = &issue.Desk{Store: p.In.DB, Log: p.Log}
	p.floor = &floor{Space: p.In.DB.Space, MinBytes: p.MinFree, Log: p.Log}
	p.aftermath = &aftermath{DB: p.In.DB}
	p.unknown = &mailbox.UnknownReplies{Store: p.In.DB, Log: p.Log}
	explainer := newExplainer()
	explainer.Unknown = p.unknown.Note
	p.credentials = newCredentials(p.In, explainer, p.PublicURL, p.Node, p.Log)
	p.mailboxes = p.desk(p.In, explainer)
	p.mailboxes.AllowPlaintext, p.mailboxes.Finder = p.AllowPlaintext, p.Finder
	p.mailboxes.Wake = func() { work.Ring(p.wakeFleet) }
	p.alerts = &alert.Desk{
		Store: p.In.DB, Ring: p.In.Ring, Base: p.Base.known(), Ahead: p.forecast.Ahead, Space: p.floor.warn, SendBy: p.mailboxes.Post,
		AllowPlaintext: p.AllowPlaintext, Log: p.Log,
	}
	p.proofs = &web.Proofs{}
	p.signIns.Prove, p.signIns.Wake = proof(p.mailboxes, p.proofs), p.mailboxes.Wake
	p.signIns.Mail = func(ctx context.Context, m credential.LinkMail) error {
		return p.alerts.Notify(ctx, postroom.NoticeLink, m.To, m.Subject, m.Text, m.Link)
	}
}

// run is the table of contents of the process. It returns when ctx ends and every
// part has stopped, or when one of them cannot do its work at all.
func (p *process) run(ctx context.Context) (err error) {
	db := p.In.DB
	node, err := db.JoinNode(ctx, p.Node)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		err = errors.Join(err, db.LeaveNode(ctx, node))
	}()
	figures := newFigures(db)
	figures.registry.MustRegister(p.floor)
	p.unknown.Counted = figures.unknownReply
	p.keeper.Interrupted = figures.lost.Inc
	fleet := p.fleet(node, figures)
	p.mailboxes.Aside = fleet.Aside
	pipeline := &intake.Pipeline{Ledger: db, Node: node, Nudge: p.arrived, IsOwn: p.alerts.IsOwn, Log: p.Log, Filed: func(filed store.Filed) {
		figures.filed(filed)
		if filed.Due { // on the server, now that it is here
			fleet.Nudge(filed.Mailbox)
		}
	}}
	janitor := &work.Loop{Name: "janitor", Turn: p.tidy, Interval: 10 * time.Minute, Log: p.Log}

	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error { return fleet.Run(ctx) })     // mailboxes → arrivals
	parts.Go(func() error { return pipeline.Run(ctx) })  // arrivals → issues
	parts.Go(func() error { return p.signIns.Run(ctx) }) // sign-ins → credentials
	parts.Go(func() error { return p.keeper.Run(ctx) })  // credentials that must not lie unused
	parts.Go(func() error { return p.alerts.Run(ctx) })  // trouble → whoever can end it
	if !p.HeartbeatURL.IsEmpty() {
		heartbeat := &alert.Heartbeat{URL: p.HeartbeatURL, Alive: p.alerts.Alive, Log: p.Log}
		parts.Go(func() error { return heartbeat.Run(ctx) }) // that this process lives
	}
	parts.Go(func() error { return janitor.Run(ctx) })   // what is due to go
	parts.Go(func() error { return p.unknown.Run(ctx) }) // answers that nobody can explain
	parts.Go(func() error { return tendMemory(ctx) })    // how much may lie about
	parts.Go(func() error { return db.Listen(ctx) })     // news from other nodes
	parts.Go(func() error { return p.serve(ctx, p.handler(ctx, figures)) })
	return parts.Wait()
}

func (p *process) fleet(node postroom.NodeID, figures *figures) *fetch.Fleet {
	explainer := p.mailboxes.Tester.Explainer
	return &fetch.Fleet{
		Ledger: p.In.DB, Node: node, Alone: p.Alone,
		Login: p.login, Renew: p.renew,
		Opened: func(ctx context.Context, m postroom.Mailbox) { p.keeper.Used(ctx, m.ID) },
		Prefer: p.mailboxes.Prefer,
		Explain: func(err error, m postroom.Mailbox, l fetch.Login) *postroom.Fault {
			return explainer.Explain(err, m, mailbox.Credential{Kind: l.Kind, Password: l.Secret}, l.HasWorked)
		},
		TopReceived:     mime.TopReceived,
		Hold:            p.floor.hold,
		Arrived:         func() { work.Ring(p.arrived) },
		Wake:            p.wakeFleet,
		Troubled:        figures.troubled,
		MaxMessageBytes: p.MaxMessage,
		CommandTimeout:  p.CommandTimeout,
		DeadAfter:       p.DeadAfter,
		Log:             p.Log,
	}
}

// login is what opens a mailbox.
func (p *process) login(ctx context.Context, m postroom.Mailbox) (fetch.Login, error) {
	kind, forms, worked, err := p.mailboxes.Forms(ctx, m)
	if err != nil { // of a sign-in that is lost, the rest is known all the same
		return fetch.Login{Kind: kind, HasWorked: worked}, err
	}
	l := fetch.Login{Kind: kind, Secret: forms[0], HasWorked: worked}
	if kind == postroom.CredentialOAuth {
		token, err := p.keeper.Token(ctx, m.ID)
		l.Secret, l.Expires = token.Access, token.Expires
		return l, err
	}
	if len(forms) > 1 {
		l.Other = forms[1]
	}
	return l, nil
}

// renew is another access token, in the place of one that the server of a mailbox has
// refused.
func (p *process) renew(ctx context.Context, m postroom.Mailbox, refused fetch.Login) (fetch.Login, error) {
	token, err := p.keeper.Renew(ctx, m.ID, refused.Secret)
	refused.Secret, refused.Expires = token.Access, token.Expires
	return refused, err
}

// tidy erases what was deleted long ago, lets go of originals that have been kept for
// long enough, and sweeps what a crash left behind.
func (p *process) tidy(ctx context.Context) (did int, next time.Time, err error) {
	more, err := p.issues.Erase(ctx, time.Now())
	if err != nil {
		return 0, time.Time{}, err
	}
	expired, err := p.In.DB.ExpireRaw(ctx, time.Now(), 1000)
	if err != nil {
		return 0, time.Time{}, err
	}
	unheard, err := p.In.DB.SweepTranscripts(ctx)
	if err != nil {
		return 0, time.Time{}, err
	}
	swept, err := p.In.DB.SweepOrphans(ctx)
	if more {
		swept++
	}
	return swept + expired + unheard, time.Time{}, err
}

// handler is everything that answers over HTTP.
func (p *process) handler(ctx context.Context, figures *figures) http.Handler {
	reader := p.In.DB.Reader()
	programs := &api.Server{
		Authenticate: p.door.Token, Read: reader, Mailboxes: p.mailboxes, Issues: p.issues, Users: p.door.Users,
		Apps: p.apps, SignIns: p.signIns, Alerts: p.alerts, Forecast: p.forecast.Ahead, Base: p.Base.of,
		Stopping: ctx.Done(), Log: p.Log,
	}
	people := &web.Server{
		Door: p.door, Reader: reader, Issues: p.issues, Mailboxes: p.mailboxes, Presets: p.mailboxes.Tester.Explainer.Presets,
		Credentials: p.signIns, Proofs: p.proofs, Apps: p.apps, Alerts: p.alerts, Forecast: p.forecast,
		PublicURL: p.PublicURL, Proxies: p.Proxies, Base: p.Base.of,
		Notice: p.notice, ReadImport: importReader(programs), Restored: p.aftermath.restored, ForgetRestored: p.aftermath.forget, Stopping: ctx.Done(), Log: p.Log,
	}
	mux := http.NewServeMux()
	mux.Handle(api.Prefix+"/", programs.Handler())
	mux.Handle("GET /metrics", figures.handler())
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", p.ready)
	mux.Handle("/", people.Handler())
	return mux
}

// ready handles GET /readyz: this process can do its work.
func (p *process) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	if err := p.In.DB.Ping(ctx); err != nil {
		p.Log.WarnContext(ctx, "not ready", "err", err)
		http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ready")
	if held := p.floor.hold(); held != nil { // the pages work all the same
		fmt.Fprintln(w, held.Explanation)
	}
}

// newServer waits for nobody for ever. Requests end with ctx.
func newServer(ctx context.Context, handler http.Handler, errorLog *log.Logger) *http.Server {
	return &http.Server{
		Handler:           patient(handler, slowestWrite),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       slowestRequest,
		IdleTimeout:       2 * time.Minute,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          errorLog,
	}
}

// serve answers requests until ctx ends, then gives those under way a moment.
func (p *process) serve(ctx context.Context, handler http.Handler) error {
	// Streams end with ctx; all else that is under way is let through.
	requests, giveUp := context.WithCancel(context.WithoutCancel(ctx))
	defer giveUp()
	server := newServer(requests, handler, slog.NewLogLogger(p.Log.Handler(), slog.LevelDebug))
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if err := server.Shutdown(grace); err != nil {
			giveUp()
			err = server.Close()
			stopped <- err
			return
		}
		stopped <- nil
	}()
	listener := p.Listener
	if p.Certificate != nil {
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{*p.Certificate}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}})
	}
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("answer on %s: %w", p.Listener.Addr(), err)
	}
	return <-stopped
}

// nodeName is the name of the node that uses a data directory. It is made on the
// first start and stays, so that a node that starts again is known to be the one
// that died.
func nodeName(dir string) (string, error) {
	path := filepath.Join(dir, "node")
	if held, err := os.ReadFile(path); err == nil && len(strings.TrimSpace(string(held))) > 0 {
		return strings.TrimSpace(string(held)), nil
	}
	host, err := os.Hostname()
	if err != nil {
		host = "node"
	}
	name := host + "-" + strings.ToLower(rand.Text()[:8])
	if err := os.WriteFile(path, []byte(name+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("name this node: %w", err)
	}
	return name, nil
}
