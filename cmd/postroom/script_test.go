package main

import (
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/api"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/simulator"
)

// TestMain makes this test binary answer to the name postroom, for the scripts and
// for whoever launches a process.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"postroom": main})
}

// TestScripts plays the stories in testdata/script. Besides postroom and what
// testscript knows, they have the commands of this file:
//
//	mailserver imap USER PASSWORD   start a mail server, or give a user (another) password; sets $IMAP
//	mailserver pop3 USER PASSWORD   the same mail by POP3 too; sets $POP3
//	mailserver smtp USER PASSWORD   and a server that mail is sent by; sets $SMTP
//	mailserver tls USER PASSWORD    another provider, all of it behind TLS; sets $IMAPS, $SMTPS, and $CA, the file with its authority
//	oauthserver SECRET              an OAuth server for $IMAP, after serve, with the app postroom; sets $ISSUER
//	consent USER PASSWORD           open the address that was printed last as that owner, and allow everything
//	takeback USER                   the owner takes back what was allowed
//	mail USER SUBJECT               have a mail arrive; set DATE to have an old one arrive
//	mails USER COUNT                have generated mails arrive
//	serve [FLAG…]                   start “postroom serve” on a free port; sets $URL, $ADDRESS, $LINK
//	stop, kill                      end it by SIGTERM, within ten seconds and with 0, or by SIGKILL
//	[!] api METHOD PATH [BODY]      ask the API with $TOKEN, and print its answer
//	await PATH PATTERN              ask the API until the answer matches
//	visit STATUS URL [NAME=VALUE…]  open a page, or send a form, and print what comes; cookies are kept
//	lastline NAME PATTERN           the last line printed is exactly this; sets $NAME
//	fails CODE PROGRAM [ARGUMENT…]  run a program that ends with this exit code
//	mode MODE FILE                  a file has this mode
//	sql FILE STATEMENT              change a database behind its back
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			jar, err := cookiejar.New(nil)
			e.Values[scriptKey{}] = &script{jar: jar}
			return err
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"mailserver":  scripted((*script).mailserver),
			"oauthserver": scripted((*script).oauthserver),
			"consent":     scripted((*script).consent),
			"takeback":    scripted((*script).takeback),
			"mail":        scripted((*script).mail),
			"mails":       scripted((*script).mails),
			"serve":       scripted((*script).serve),
			"stop":        scripted((*script).stop),
			"kill":        scripted((*script).kill),
			"await":       scripted((*script).await),
			"visit":       scripted((*script).visit),
			"lastline":    scripted((*script).lastline),
			"fails":       scripted((*script).fails),
			"mode":        scripted((*script).mode),
			"sql":         scripted((*script).sql),
			"api":         askAPI,
		},
	})
}

// A script is what the commands of one story share.
type script struct {
	provider  *simulator.Server
	secure    *simulator.Server // all of it behind TLS
	oauth     *simulator.OAuthServer
	server    *server
	jar       http.CookieJar
	delivered int
}

type scriptKey struct{}

// scripted makes a command of a method; how many arguments it takes is its matter.
func scripted(do func(*script, *testscript.TestScript, []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg {
			ts.Fatalf("this command cannot be negated")
		}
		do(ts.Value(scriptKey{}).(*script), ts, args)
	}
}

// arguments stops the script unless there are as many as there are names.
func arguments(ts *testscript.TestScript, args []string, names ...string) {
	if len(args) != len(names) {
		ts.Fatalf("the arguments are %q, want %s", args, strings.Join(names, " "))
	}
}

func (s *script) mailserver(ts *testscript.TestScript, args []string) {
	arguments(ts, args, "imap|pop3|smtp|tls", "USER", "PASSWORD")
	if args[0] == "tls" {
		s.secured(ts)
		s.secure.AddAccount(args[1], args[2])
		return
	}
	if s.provider == nil {
		provider, err := simulator.Start(simulator.Options{Mechanisms: []string{mail.Plain, mail.XOAuth2}})
		ts.Check(err)
		s.provider = provider
		ts.Defer(func() { ts.Check(provider.Close()) })
		ts.Setenv("IMAP", provider.Address())
	}
	s.provider.AddAccount(args[1], args[2])
	if args[0] == "pop3" && ts.Getenv("POP3") == "" {
		server, err := s.provider.StartPOP3(simulator.POP3Options{})
		ts.Check(err)
		ts.Setenv("POP3", server.Address())
	}
	if args[0] == "smtp" && ts.Getenv("SMTP") == "" {
		server, err := s.provider.StartSMTP(simulator.SMTPOptions{})
		ts.Check(err)
		ts.Setenv("SMTP", server.Address())
	}
}

// secured starts the provider that is behind TLS.
func (s *script) secured(ts *testscript.TestScript) {
	if s.secure != nil {
		return
	}
	provider, err := simulator.Start(simulator.Options{TLS: postroom.TLSImplicit})
	ts.Check(err)
	s.secure = provider
	ts.Defer(func() { ts.Check(provider.Close()) })
	sends, err := provider.StartSMTP(simulator.SMTPOptions{TLS: postroom.TLSImplicit})
	ts.Check(err)
	ts.Setenv("IMAPS", provider.Address())
	ts.Setenv("SMTPS", sends.Address())
	ts.Setenv("CA", ts.MkAbs("ca.pem"))
	ts.Check(os.WriteFile(ts.Getenv("CA"), []byte(provider.CAPEM), 0o600))
}

func (s *script) oauthserver(ts *testscript.TestScript, args []string) {
	arguments(ts, args, "SECRET")
	server, err := s.provider.StartOAuth(simulator.OAuthOptions{Apps: []simulator.OAuthApp{{
		ClientID: "postroom", Name: "Postroom", Secret: args[0], RedirectURLs: []string{s.server.url + "/oauth/callback"},
	}}})
	ts.Check(err)
	s.oauth = server
	ts.Setenv("ISSUER", server.Issuer)
}

var (
	printedAddress = regexp.MustCompile(`http://[^\s"]+/(oauth/start|link)/[^\s"]+`)
	startOfSignIn  = regexp.MustCompile(`/oauth/start/[^\s"]+`)
)

func (s *script) consent(ts *testscript.TestScript, args []string) {
	arguments(ts, args, "USER", "PASSWORD")
	address := printedAddress.FindString(ts.ReadFile("stdout") + ts.ReadFile("stderr"))
	if address == "" {
		ts.Fatalf("no address was printed to sign in at")
	}
	browser, err := newSurfer()
	ts.Check(err)
	ts.Check(browser.open(address))
	if strings.Contains(address, "/link/") { // who asks is told first
		_, err := browser.submit()
		ts.Check(err)
		on, err := browser.at.Parse(startOfSignIn.FindString(browser.page)) // the page sends browsers on by itself
		ts.Check(err)
		ts.Check(browser.open(on.String()))
	}
	for range 4 {
		if strings.HasPrefix(browser.at.String(), s.server.url) {
			break
		}
		_, err := browser.submit("identifier", args[0], "password", args[1], "do", "allow")
		ts.Check(err)
	}
	fmt.Fprintln(ts.Stdout(), browser.page)
}

func (s *script) takeback(ts *testscript.TestScript, args []string) {
	arguments(ts, args, "USER")
	s.oauth.Revoke(args[0], "")
	s.oauth.EndAccess(args[0])
	s.provider.CutEnded()
}

func (s *script) mail(ts *testscript.TestScript, args []string) {
	arguments(ts, args, "USER", "SUBJECT")
	s.delivered++
	at := time.Now()
	if day := ts.Getenv("DATE"); day != "" {
		var err error
		at, err = time.Parse(time.DateOnly, day)
		ts.Check(err)
	}
	raw := fmt.Sprintf("From: Tom <tom@example.org>\r\nTo: %s\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: <%d@example.org>\r\n\r\nHello.\r\n",
		args[0], args[1], at.Format(time.RFC1123Z), s.delivered)
	_, err := s.provider.Append(args[0], "INBOX", []byte(raw), at)
	ts.Check(err)
}

func (s *script) mails(ts *testscript.TestScript, args []string) {
	arguments(ts, args, "USER", "COUNT")
	count, err := strconv.Atoi(args[1])
	ts.Check(err)
	for range count {
		_, err := s.provider.Append(args[0], "INBOX", simulator.Generated(23, s.delivered), time.Time{})
		ts.Check(err)
		s.delivered++
	}
}

func (s *script) serve(ts *testscript.TestScript, args []string) {
	started, err := launchServer(ts.MkAbs("."), nil, args...)
	ts.Check(err)
	s.server = started
	ts.Defer(func() { ts.Check(started.kill()) })
	ts.Setenv("URL", started.url)
	ts.Setenv("LINK", started.link)
	ts.Setenv("ADDRESS", strings.TrimPrefix(started.url, "http://"))
}

func (s *script) stop(ts *testscript.TestScript, args []string) {
	arguments(ts, args)
	if err := s.server.running.stop(syscall.SIGTERM); err != nil {
		ts.Fatalf("%v\n%s", err, s.server.printed())
	}
}

func (s *script) kill(ts *testscript.TestScript, args []string) {
	arguments(ts, args)
	ts.Check(s.server.running.kill())
}

func askAPI(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 || len(args) > 3 {
		ts.Fatalf("the arguments are %q, want METHOD PATH [BODY]", args)
	}
	status, text := ask(ts, args[0], args[1], strings.Join(args[2:], ""))
	fmt.Fprintln(ts.Stdout(), text)
	if refused := status >= 300; refused != neg {
		ts.Fatalf("%s %s: %d %s", args[0], args[1], status, text)
	}
}

func ask(ts *testscript.TestScript, method, path, body string) (status int, text string) {
	r, err := http.NewRequest(method, ts.Getenv("URL")+api.Prefix+path, strings.NewReader(body))
	ts.Check(err)
	r.Header.Set("Authorization", "Bearer "+ts.Getenv("TOKEN"))
	r.Header.Set("Content-Type", "application/json")
	answer, err := (&http.Client{Timeout: patience}).Do(r)
	ts.Check(err)
	defer answer.Body.Close()
	read, err := io.ReadAll(answer.Body)
	ts.Check(err)
	return answer.StatusCode, strings.TrimSpace(string(read))
}

func (s *script) await(ts *testscript.TestScript, args []string) {
	arguments(ts, args, "PATH", "PATTERN")
	pattern, err := regexp.Compile(args[1])
	ts.Check(err)
	var text string
	err = eventually(patience, func() error {
		_, text = ask(ts, http.MethodGet, args[0], "")
		if !pattern.MatchString(text) {
			return fmt.Errorf("%s answers %s, want %s", args[0], text, pattern)
		}
		return nil
	})
	ts.Check(err)
	fmt.Fprintln(ts.Stdout(), text)
}

func (s *script) visit(ts *testscript.TestScript, args []string) {
	if len(args) < 2 {
		ts.Fatalf("the arguments are %q, want STATUS URL [NAME=VALUE…]", args)
	}
	form := url.Values{}
	for _, field := range args[2:] {
		name, value, _ := strings.Cut(field, "=")
		form.Set(name, value)
	}
	browser := &http.Client{
		Timeout: patience, Jar: s.jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	var answer *http.Response
	var err error
	if len(form) > 0 {
		answer, err = browser.PostForm(args[1], form)
	} else {
		answer, err = browser.Get(args[1])
	}
	ts.Check(err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	ts.Check(err)
	_, content, _ := strings.Cut(string(text), "<main") // before it are pictures
	fmt.Fprintln(ts.Stdout(), content)
	if got := strconv.Itoa(answer.StatusCode); got != args[0] {
		ts.Fatalf("%s answers %s, want %s", args[1], got, args[0])
	}
}

func (s *script) lastline(ts *testscript.TestScript, args []string) {
	arguments(ts, args, "NAME", "PATTERN")
	printed := strings.Split(strings.TrimSuffix(ts.ReadFile("stdout"), "\n"), "\n")
	last := printed[len(printed)-1]
	if !regexp.MustCompile(`^(?:` + args[1] + `)$`).MatchString(last) {
		ts.Fatalf("the last line is %q, want %s", last, args[1])
	}
	ts.Setenv(args[0], last)
}

func (s *script) fails(ts *testscript.TestScript, args []string) {
	if len(args) < 2 {
		ts.Fatalf("the arguments are %q, want CODE PROGRAM [ARGUMENT…]", args)
	}
	err := ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		ts.Fatalf("it ended with %v, want %s", err, args[0])
	}
	if got := strconv.Itoa(exit.ExitCode()); got != args[0] {
		ts.Fatalf("it ended with %s, want %s", got, args[0])
	}
}

func (s *script) mode(ts *testscript.TestScript, args []string) {
	arguments(ts, args, "MODE", "FILE")
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}

func (s *script) sql(ts *testscript.TestScript, args []string) {
	arguments(ts, args, "FILE", "STATEMENT")
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	defer db.Close()
	_, err = db.Exec(args[1])
	ts.Check(err)
}
