package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/testbed"
)

// The benchmarks measure the real program as a process of its own, from outside:
// what “make bench” prints goes into docs/benchmarks.md.

// A measured server is “postroom serve” under measurement.
type measured struct {
	b       *testing.B
	program string
	args    []string
	cmd     *exec.Cmd
	base    string
	token   string
}

var answersOn = regexp.MustCompile(`answers on (http://\S+)`)

// serveToMeasure builds the program and starts it on an empty directory.
func serveToMeasure(b *testing.B, more ...string) *measured {
	b.Helper()
	program := filepath.Join(b.TempDir(), "postroom")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		b.Fatalf("build: %v\n%s", err, out)
	}
	data := filepath.Join(b.TempDir(), "data")
	out, err := exec.Command(program, append([]string{"token", "create", "--name", "bench", "--data", data}, database(more)...)...).Output()
	if err != nil {
		b.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	s := &measured{b: b, token: lines[len(lines)-1], program: program}
	s.args = append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0", "--log-level", "error"}, more...)
	s.start()
	b.Cleanup(s.stop)
	return s
}

// stop ends the server as a person would.
func (s *measured) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	if err := s.cmd.Wait(); err != nil {
		s.b.Errorf("serve ended with %v", err)
	}
}

// start starts it on the data that there is.
func (s *measured) start() {
	b := s.b
	b.Helper()
	s.base = ""
	s.cmd = exec.Command(s.program, s.args...)
	s.cmd.Stderr = os.Stderr
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	read := bufio.NewReader(stdout)
	for s.base == "" {
		line, err := read.ReadString('\n')
		if err != nil {
			b.Fatalf("serve said no address: %v", err)
		}
		if m := answersOn.FindStringSubmatch(line); m != nil {
			s.base = m[1]
		}
	}
	go func() { _, _ = io.Copy(io.Discard, read) }() // ends with the process
}

func database(args []string) []string {
	if i := slices.Index(args, "--database"); i >= 0 {
		return args[i : i+2]
	}
	return nil
}

func (s *measured) call(method, path string, body, into any) {
	s.b.Helper()
	var send io.Reader
	if body != nil {
		packed, err := json.Marshal(body)
		if err != nil {
			s.b.Fatal(err)
		}
		send = bytes.NewReader(packed)
	}
	r, err := http.NewRequest(method, s.base+path, send)
	if err != nil {
		s.b.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	r.Header.Set("Content-Type", "application/json")
	w, err := http.DefaultClient.Do(r)
	if err != nil {
		s.b.Fatal(err)
	}
	defer w.Body.Close()
	if w.StatusCode >= 300 {
		text, _ := io.ReadAll(w.Body)
		s.b.Fatalf("%s %s: %s\n%s", method, path, w.Status, text)
	}
	if into != nil {
		if err := json.NewDecoder(w.Body).Decode(into); err != nil {
			s.b.Fatal(err)
		}
	}
}

func (s *measured) connect(address, host string, port int, tls postroom.TLSPolicy, ca, start string) string {
	s.b.Helper()
	var m struct{ ID string }
	incoming := map[string]any{"protocol": "imap", "host": host, "port": port, "tls": tls, "username": address}
	if ca != "" {
		incoming["ca_certificate"] = ca
	}
	s.call("POST", "/api/v1/mailboxes", map[string]any{
		"address": address, "incoming": incoming, "start": start,
		"credential": map[string]any{"kind": "password", "password": "secret"},
	}, &m)
	return m.ID
}

// figure reads one line of /metrics.
func (s *measured) figure(line string) float64 {
	s.b.Helper()
	w, err := http.Get(s.base + "/metrics")
	if err != nil {
		s.b.Fatal(err)
	}
	defer w.Body.Close()
	text, err := io.ReadAll(w.Body)
	if err != nil {
		s.b.Fatal(err)
	}
	for l := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(l, line+" "); ok {
			n, _ := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			return n
		}
	}
	return 0
}

func (s *measured) until(what string, limit time.Duration, ok func() bool) {
	s.b.Helper()
	for deadline := time.Now().Add(limit); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.b.Fatalf("after %v still not: %s", limit, what)
		}
	}
}

// cpu is what the process has used so far.
func (s *measured) cpu() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		s.b.Fatal(err)
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+2:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond // ticks of 1/100 s
}

// memory is a line of /proc/PID/status, in MB: VmRSS now, VmHWM at most.
func (s *measured) memory(line string) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		s.b.Fatal(err)
	}
	for l := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(l, line+":"); ok {
			kb, _ := strconv.Atoi(strings.Fields(rest)[0])
			return float64(kb) / 1024
		}
	}
	return 0
}

// drain reads a whole folder over a raw socket and throws it away: what no reader
// can be faster than.
func drain(b *testing.B, address, user string) (bytesRead int64, took time.Duration) {
	b.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	began := time.Now()
	fmt.Fprintf(conn, "a LOGIN %s secret\r\nb EXAMINE INBOX\r\nc UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])\r\nd LOGOUT\r\n", user)
	bytesRead, err = io.Copy(io.Discard, conn)
	if err != nil {
		b.Fatal(err)
	}
	return bytesRead, time.Since(began)
}

const backlogMails = 5000

func benchmarkBacklog(b *testing.B, more ...string) {
	user := "backlog@example.net"
	d := testbed.Dovecot(b, testbed.DovecotOptions{Users: map[string]string{user: "secret"}})
	var total int64
	for i := range backlogMails {
		raw := simulator.Generated(1, i)
		total += int64(len(raw))
		d.Deliver(user, "INBOX", raw)
	}
	address := net.JoinHostPort(d.Host, strconv.Itoa(d.IMAPPort))
	drain(b, address, user) // Dovecot writes its index and cache
	read, raw := drain(b, address, user)
	for b.Loop() {
		s := serveToMeasure(b, more...)
		before := s.cpu()
		began := time.Now()
		s.connect(user, d.Host, d.IMAPPort, postroom.TLSNone, "", "all")
		s.until("all are filed", 10*time.Minute, func() bool {
			time.Sleep(100 * time.Millisecond) // to be asked costs CPU as well
			return s.figure(`postroom_arrivals{state="filed"}`) >= backlogMails
		})
		took := time.Since(began)
		b.ReportMetric(backlogMails/took.Seconds(), "mails/s")
		b.ReportMetric((s.cpu()-before).Seconds()/backlogMails*1000, "cpu-s/1000")
		b.ReportMetric(s.memory("VmHWM"), "MB-peak")
		b.ReportMetric(backlogMails/raw.Seconds(), "raw-mails/s")
		b.ReportMetric(took.Seconds()/raw.Seconds(), "times-raw")
		b.ReportMetric(float64(read)/backlogMails/1024, "KB/mail")
		b.ReportMetric(0, "ns/op")
	}
}

func BenchmarkBacklogSQLite(b *testing.B) { benchmarkBacklog(b) }
func BenchmarkBacklogPostgres(b *testing.B) {
	benchmarkBacklog(b, "--database", testbed.PostgresServer(b).URL)
}

// A stopwatch measures from the delivery of a letter to its issue being visible
// through the API: it follows the stream of events and reads each issue.
type stopwatch struct {
	*measured
	mu   sync.Mutex
	sent map[string]time.Time // by subject
	took []time.Duration
}

func newStopwatch(s *measured) *stopwatch {
	w := &stopwatch{measured: s, sent: make(map[string]time.Time)}
	ctx, cancel := context.WithCancel(context.Background())
	r, err := http.NewRequestWithContext(ctx, "GET", s.base+"/api/v1/events/stream", nil)
	if err != nil {
		s.b.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.token)
	stream, err := http.DefaultClient.Do(r)
	if err != nil {
		s.b.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.follow(stream.Body)
	}()
	s.b.Cleanup(func() {
		cancel()
		_ = stream.Body.Close()
		<-done
	})
	return w
}

func (w *stopwatch) follow(stream io.Reader) {
	lines := bufio.NewScanner(stream)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data:")
		if !ok {
			continue
		}
		var e struct{ Type, Issue string }
		if json.Unmarshal([]byte(data), &e) != nil || e.Type != string(postroom.EventIssueCreated) {
			continue
		}
		var issue struct{ Subject string }
		w.call("GET", "/api/v1/issues/"+e.Issue, nil, &issue)
		now := time.Now()
		w.mu.Lock()
		if sent, known := w.sent[issue.Subject]; known {
			w.took = append(w.took, now.Sub(sent))
			delete(w.sent, issue.Subject)
		}
		w.mu.Unlock()
	}
}

// deliver hands over one letter every pause and waits until all are visible.
func (w *stopwatch) deliver(name string, n int, pause time.Duration, hand func(raw []byte)) []time.Duration {
	w.took = nil
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for i := range n {
		<-tick.C
		subject := fmt.Sprintf("%s letter %d", name, i)
		raw := fmt.Appendf(nil, "From: ana@example.org\r\nTo: support@example.net\r\nSubject: %s\r\nMessage-ID: <%s-%d@example.org>\r\n\r\n%s\r\n",
			subject, strings.ReplaceAll(name, " ", "-"), i, strings.Repeat("A line of an ordinary letter. ", 40))
		w.mu.Lock()
		w.sent[subject] = time.Now()
		w.mu.Unlock()
		hand(raw)
	}
	w.until("every letter is visible", time.Minute, func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.sent) == 0
	})
	slices.Sort(w.took)
	return w.took
}

func report(b *testing.B, took []time.Duration) {
	at := func(share float64) float64 {
		return float64(took[min(len(took)-1, int(share*float64(len(took))))].Microseconds()) / 1000
	}
	b.ReportMetric(at(.5), "ms-p50")
	b.ReportMetric(at(.99), "ms-p99")
	b.ReportMetric(float64(len(took)), "letters")
	b.ReportMetric(0, "ns/op")
}

// From the server's notice to the issue being visible, at four rhythms.
func BenchmarkNoticeToVisible(b *testing.B) {
	for _, rhythm := range []struct {
		name  string
		n     int
		pause time.Duration
	}{
		{"one a minute", 3, time.Minute}, {"1 a second", 30, time.Second}, {"5 a second", 100, 200 * time.Millisecond}, {"20 a second", 400, 50 * time.Millisecond},
	} {
		b.Run(rhythm.name, func(b *testing.B) {
			provider, err := simulator.Start(simulator.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer provider.Close()
			provider.AddAccount("support@example.net", "secret")
			for b.Loop() {
				s := serveToMeasure(b)
				w := newStopwatch(s)
				s.connect("support@example.net", provider.Host, provider.Port, postroom.TLSNone, "", "now")
				s.until("the mailbox is read", time.Minute, func() bool { return s.figure(`postroom_mailboxes{state="active"}`) == 1 })
				report(b, w.deliver(rhythm.name, rhythm.n, rhythm.pause, func(raw []byte) {
					if _, err := provider.Append("support@example.net", "INBOX", raw, time.Now()); err != nil {
						b.Fatal(err)
					}
				}))
			}
		})
	}
}

// From a file in a Dovecot's maildir to the issue being visible: Dovecot itself
// waits half a second before it tells.
func BenchmarkDovecotDeliveryToVisible(b *testing.B) {
	user := "latency@example.net"
	d := testbed.Dovecot(b, testbed.DovecotOptions{Users: map[string]string{user: "secret"}})
	for b.Loop() {
		s := serveToMeasure(b)
		w := newStopwatch(s)
		s.connect(user, d.Host, d.IMAPPort, postroom.TLSNone, "", "now")
		s.until("the mailbox is read", time.Minute, func() bool { return s.figure(`postroom_mailboxes{state="active"}`) == 1 })
		report(b, w.deliver("dovecot", 60, 700*time.Millisecond, func(raw []byte) { d.Deliver(user, "INBOX", raw) }))
	}
}

// Memory of the floor, and of each idle mailbox over TLS; how long it takes until all
// are read after they were connected, and after a start; what they cost while idle.
func BenchmarkIdleMailboxes(b *testing.B) {
	for _, mailboxes := range []int{1000, 10000} {
		b.Run(fmt.Sprint(mailboxes), func(b *testing.B) { benchmarkIdle(b, mailboxes) })
	}
}

// idleServers is how many mail servers the mailboxes are spread over: each lets in as
// many at once as one server does.
const idleServers = 10

func benchmarkIdle(b *testing.B, mailboxes int) {
	var providers []*simulator.Server
	for range idleServers {
		provider, err := simulator.Start(simulator.Options{TLS: postroom.TLSImplicit})
		if err != nil {
			b.Fatal(err)
		}
		defer provider.Close()
		providers = append(providers, provider)
	}
	open := func() (n int) {
		for _, p := range providers {
			n += p.Counts("").Open
		}
		return n
	}
	for b.Loop() {
		s := serveToMeasure(b)
		time.Sleep(2 * time.Second)
		floor := s.memory("VmRSS")
		began := time.Now()
		for i := range mailboxes {
			user := fmt.Sprintf("u%d@example.net", i)
			provider := providers[i%idleServers]
			provider.AddAccount(user, "secret")
			s.connect(user, "localhost", provider.Port, postroom.TLSImplicit, provider.CAPEM, "now")
		}
		s.until("all are read", 10*time.Minute, func() bool { return s.figure(`postroom_mailboxes{state="active"}`) == float64(mailboxes) })
		took := time.Since(began)
		s.stop()
		began = time.Now()
		s.start()
		s.until("all are open again", 10*time.Minute, func() bool { return open() == mailboxes })
		restarted := time.Since(began)
		time.Sleep(20 * time.Second) // what signing in took goes back
		b.ReportMetric(floor, "MB-floor")
		b.ReportMetric((s.memory("VmRSS")-floor)*1024/float64(mailboxes), "KB/mailbox")
		b.ReportMetric(took.Seconds(), "s-to-connect")
		b.ReportMetric(restarted.Seconds(), "s-to-start")
		before := s.cpu()
		time.Sleep(10 * time.Second)
		b.ReportMetric((s.cpu()-before).Seconds()*10, "cpu-%-idle")
		b.ReportMetric(0, "ns/op")
	}
}

// What one message of 150 MB takes beside the floor.
func BenchmarkHugeMessage(b *testing.B) {
	provider, err := simulator.Start(simulator.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer provider.Close()
	provider.AddAccount("huge@example.net", "secret")
	var raw bytes.Buffer
	raw.WriteString("From: ana@example.org\r\nSubject: Huge\r\nMessage-ID: <huge@example.org>\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	line := strings.Repeat("QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo", 2) + "ABCDEF==\r\n"
	for raw.Len() < 150<<20 {
		raw.WriteString(line)
	}
	for b.Loop() {
		s := serveToMeasure(b)
		s.connect("huge@example.net", provider.Host, provider.Port, postroom.TLSNone, "", "now")
		s.until("the mailbox is read", time.Minute, func() bool { return s.figure(`postroom_mailboxes{state="active"}`) == 1 })
		time.Sleep(time.Second)
		floor := s.memory("VmHWM")
		began := time.Now()
		if _, err := provider.Append("huge@example.net", "INBOX", raw.Bytes(), time.Now()); err != nil {
			b.Fatal(err)
		}
		s.until("it is filed", 5*time.Minute, func() bool { return s.figure(`postroom_arrivals{state="filed"}`) == 1 })
		b.ReportMetric(time.Since(began).Seconds(), "s")
		b.ReportMetric(s.memory("VmHWM")-floor, "MB-extra")
		b.ReportMetric(0, "ns/op")
	}
}
