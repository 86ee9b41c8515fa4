package mailbox

import (
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/idna"

	"github.com/postroom/postroom"
)

// A role is what a server does for a mailbox, with what is usual there.
type role struct {
	field    string // as the API names its settings
	example  string
	implicit int      // the port of TLS from the first byte (RFC 8314)
	clear    int      // the port that begins in clear
	schemes  []string // those of the addresses that people paste
}

var (
	imapServer     = role{"incoming", "imap.example.net", 993, 143, []string{"imaps", "imap"}}
	popServer      = role{"incoming", "pop.example.net", 995, 110, []string{"pop3s", "pop3", "pops", "pop"}}
	outgoingServer = role{"outgoing", "smtp.example.net", 465, 587, []string{"smtps", "smtp", "submissions", "submission"}}
)

// incomingServer is what an incoming server is for a protocol.
func incomingServer(p postroom.Protocol) role {
	if p == postroom.POP3 {
		return popServer
	}
	return imapServer
}

// isUsual says whether servers of this kind listen on a port by custom.
func (r role) isUsual(port int) bool { return port == r.implicit || port == r.clear }

// pastedProtocol is the protocol that a pasted address such as pop3s://pop.example.net
// names; empty when it names none.
func pastedProtocol(host string) postroom.Protocol {
	scheme, _, ok := strings.Cut(strings.TrimSpace(host), "://")
	switch scheme = strings.ToLower(scheme); {
	case ok && slices.Contains(imapServer.schemes, scheme):
		return postroom.IMAP
	case ok && slices.Contains(popServer.schemes, scheme):
		return postroom.POP3
	}
	return ""
}

const (
	maxUsername    = 512       // bytes
	maxCertificate = 256 << 10 // bytes
)

func (r Rules) completeServer(s postroom.ServerSettings, as role) (postroom.ServerSettings, error) {
	for _, step := range []func(*postroom.ServerSettings, role) error{
		completeHost, completeTLS, completePort, r.checkPlaintext, checkUsername, completeCertificate, completePin,
	} {
		if err := step(&s, as); err != nil {
			return s, err
		}
	}
	return s, nil
}

// completeHost takes what people paste apart: an address such as
// imaps://imap.example.net:993/, a host with its port, an IP address in brackets.
func completeHost(s *postroom.ServerSettings, as role) error {
	field := as.field + ".host"
	host := strings.TrimSpace(s.Host)
	remedy := "Enter the name of the server alone, such as " + as.example + "."
	if scheme, rest, ok := strings.Cut(host, "://"); ok {
		scheme = strings.ToLower(scheme)
		if !slices.Contains(as.schemes, scheme) {
			return invalid(field, quote(host)+" is the address of something else than a mail server.", remedy)
		}
		u, err := url.Parse(scheme + "://" + rest)
		if err != nil || u.Host == "" {
			return invalid(field, quote(host)+" holds no name of a server.", remedy)
		}
		host = u.Host
		if s.TLS == "" && (scheme == as.schemes[0] || scheme == "pops" || scheme == "submissions") {
			s.TLS = postroom.TLSImplicit
		}
	}
	host, port := splitPort(host)
	if port != "" {
		n, err := strconv.Atoi(port)
		if err != nil || s.Port != 0 && s.Port != n {
			return invalid(field, quote(s.Host)+" names another port than the port field does.", "Enter the name of the server alone, and the port in its own field.")
		}
		s.Port = n
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	switch _, err := netip.ParseAddr(host); {
	case err == nil:
	case strings.Contains(host, "@"):
		return invalid(field, quote(host)+" is a mail address, not the name of a server.", remedy)
	case strings.ContainsAny(host, " \t\r\n\u00a0"):
		return invalid(field, "There is a blank in the name of the server.", remedy)
	case !isHostName(host):
		return invalid(field, quote(host)+" cannot be the name of a server.", remedy)
	}
	s.Host = host
	return nil
}

// splitPort cuts a port off a host; an IPv6 address needs brackets for that.
func splitPort(text string) (host, port string) {
	if rest, ok := strings.CutPrefix(text, "["); ok {
		host, after, ok := strings.Cut(rest, "]")
		if !ok {
			return text, ""
		}
		port, _ := strings.CutPrefix(after, ":")
		return host, port
	}
	if strings.Count(text, ":") == 1 {
		host, port, _ := strings.Cut(text, ":")
		return host, port
	}
	return text, ""
}

// completeTLS goes by the port where nobody chose how to encrypt.
func completeTLS(s *postroom.ServerSettings, as role) error {
	switch s.TLS {
	case postroom.TLSImplicit, postroom.TLSStart, postroom.TLSNone:
	case "":
		s.TLS = postroom.TLSImplicit
		if s.Port == as.clear {
			s.TLS = postroom.TLSStart
		}
	default:
		return invalid(as.field+".tls", quote(string(s.TLS))+" is no way to encrypt a connection.", "Choose implicit, starttls or none.")
	}
	return nil
}

func completePort(s *postroom.ServerSettings, as role) error {
	if s.Port == 0 {
		s.Port = as.clear
		if s.TLS == postroom.TLSImplicit {
			s.Port = as.implicit
		}
	}
	if s.Port < 1 || s.Port > 65535 {
		return invalid(as.field+".port",
			fmt.Sprintf("There is no port %d.", s.Port),
			fmt.Sprintf("Choose a number from 1 to 65535; usual are %d and %d.", as.implicit, as.clear))
	}
	return nil
}

// checkPlaintext keeps passwords and mail from crossing a network in clear.
func (r Rules) checkPlaintext(s *postroom.ServerSettings, as role) error {
	if s.TLS != postroom.TLSNone || r.AllowPlaintext || isLoopback(s.Host) {
		return nil
	}
	return &postroom.Fault{
		Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin, Field: as.field + ".tls",
		Explanation: "Without encryption, the password and the mail would cross the network to " + s.Host + " for everybody to read.",
		Remedy:      "Choose implicit or starttls. Where the server offers neither, the administrator of Postroom can allow connections without encryption.",
	}
}

func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") { // RFC 6761 section 6.3
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

func checkUsername(s *postroom.ServerSettings, as role) error {
	s.Username = strings.TrimSpace(s.Username)
	if len(s.Username) > maxUsername || hasControls(s.Username) {
		return invalid(as.field+".username", "The user name is too long, or has signs in it that cannot be typed.", "Enter it as the mail program has it; mostly it is the whole address.")
	}
	return nil
}

func completeCertificate(s *postroom.ServerSettings, as role) error {
	field := as.field + ".ca_certificate"
	text := strings.TrimSpace(s.CACertificate)
	if text == "" {
		s.CACertificate = ""
		return nil
	}
	remedy := "Paste the whole file in PEM form; it begins with -----BEGIN CERTIFICATE-----."
	if len(text) > maxCertificate {
		return invalid(field, "The CA certificate is far too long.", remedy)
	}
	found := 0
	for rest := []byte(text); ; {
		var block *pem.Block
		block, rest = pem.Decode(rest)
		if block == nil {
			break
		}
		if strings.Contains(block.Type, "PRIVATE KEY") {
			return invalid(field, "There is a private key in the CA certificate. It must stay with whoever runs the server.", "Paste the certificate alone.")
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return invalid(field, "The CA certificate is damaged.", remedy)
		}
		found++
	}
	if found == 0 {
		return invalid(field, "There is no certificate in what was given as the CA certificate.", remedy)
	}
	s.CACertificate = text + "\n"
	return nil
}

func completePin(s *postroom.ServerSettings, as role) error {
	text := strings.TrimSpace(s.PinnedSHA256)
	if i := strings.LastIndexByte(text, '='); i >= 0 { // “SHA256 Fingerprint=AB:CD:…”, as openssl prints it
		text = text[i+1:]
	}
	text = strings.ToLower(strings.NewReplacer(":", "", " ", "", "-", "").Replace(text))
	if raw, err := hex.DecodeString(text); text != "" && (err != nil || len(raw) != 32) {
		return invalid(as.field+".pinned_sha256",
			"The fingerprint of the certificate is not complete, or is one of another kind.",
			"Enter its SHA-256: 64 digits from 0 to 9 and a to f. Colons between them do no harm.")
	}
	s.PinnedSHA256 = text
	return nil
}

// asciiHost is a host as DNS spells it (RFC 5891).
func asciiHost(host string) string {
	if ascii, err := idna.Lookup.ToASCII(host); err == nil {
		return ascii
	}
	return host
}
