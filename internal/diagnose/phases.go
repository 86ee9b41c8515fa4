package diagnose

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/postroom/postroom"
)

// inWords fills in what a network entry leaves open: the host, the port, the time, and
// at which step it happened.
func (f *Failure) inWords(e *entry) cause {
	found := cause{entry: e}
	host := f.hostFirst()
	switch e.ID {
	case "dns-no-such-host":
		found.explanation, found.field = fmt.Sprintf(noSuchName, f.host()), f.setting("host")
		found.passes = f.HasWorked
		if meant := f.meant(); meant != "" {
			found.remedy = fmt.Sprintf(remedyMeant, meant)
		}
	case "dns-timeout", "dns-misbehaving", "dns-temporary":
		found.explanation = fmt.Sprintf(nameServiceSilent, f.host())
	case "tcp-refused":
		found.explanation, found.field = fmt.Sprintf(nothingAnswers, f.host(), f.Port), f.setting("port")
		if begun, encrypted := f.usualPorts(); f.Port != begun && f.Port != encrypted && f.Port != 0 {
			found.remedy = fmt.Sprintf(remedyUsualPorts, encrypted, begun)
		}
	case "tcp-dial-timeout", "tcp-deadline", "tcp-port25-blocked", "tcp-read-timeout":
		if found.explanation = f.waited(e); e.ID == "tcp-read-timeout" && f.isShakingHands() {
			found.remedy, found.others = remedyHandshake, []string{otherFirewall}
		}
	case "tcp-reset":
		found.explanation = fmt.Sprintf(f.byStep(cut, cutInHandshake, cutAtFirst, cutInSignIn), f.host())
	case "tcp-unexpected-eof":
		found.explanation = fmt.Sprintf(f.byStep(closed, closedInHandshake, closedAtFirst, closedInSignIn), host)
	case "tcp-network-unreachable", "tcp-no-route":
		found.explanation = fmt.Sprintf(unreachable, host)
		if ip := f.address(); ip.Is6() {
			found.explanation = fmt.Sprintf(unreachableIPv6, host, ip)
			found.remedy = remedyIPv6
		}
	case "tcp-not-permitted":
		found.explanation = fmt.Sprintf(notPermitted, f.host(), f.Port)
	case "tls-not-yet-valid":
		found.explanation = f.say(notValidYet)
	case "tls-expired":
		found.explanation = f.say(hasRunOut)
	case "tls-protocol-version":
		found.explanation = fmt.Sprintf(oldVersion, host)
	case "tls-handshake-failure":
		found.explanation = fmt.Sprintf(noCommonCipher, host)
	case "tls-unrecognized-name":
		found.explanation = fmt.Sprintf(unknownItself, host)
	case "tls-client-cert":
		found.explanation = fmt.Sprintf(wantsCertificate, host)
	case "smtp-no-auth-offered":
		found.explanation = fmt.Sprintf(noSignInOffered, host, f.Port)
	case "tls-starttls-missing":
		found.explanation = fmt.Sprintf(noStartTLS, host, f.Port)
		found.remedy = f.otherTLS(postroom.TLSStart)
		if _, encrypted := f.usualPorts(); f.Port != encrypted {
			found.remedy = fmt.Sprintf(remedyNoStartTLS, encrypted)
		}
	}
	return found
}

// waited says how long was waited, and for what.
func (f *Failure) waited(e *entry) string {
	host := f.hostFirst()
	switch {
	case f.Phase == "auth":
		return fmt.Sprintf(silentInSignIn, host, inSeconds(f.authTimeout()))
	case f.Phase == "greeting":
		return fmt.Sprintf(silentAtFirst, host, inSeconds(f.connectTimeout()))
	case f.isShakingHands() && e.ID != "tcp-dial-timeout" && e.ID != "tcp-port25-blocked":
		return fmt.Sprintf(silentInHandshake, host, inSeconds(f.connectTimeout()))
	case f.Phase == "connect", f.Phase == "starttls", e.ID == "tcp-dial-timeout", e.ID == "tcp-port25-blocked":
		return fmt.Sprintf(silent, host, inSeconds(f.connectTimeout()))
	}
	return fmt.Sprintf(stoppedAnswering, host)
}

// byStep chooses between what is said of the middle of a conversation, of a handshake,
// of the first word, and of the sign-in.
func (f *Failure) byStep(later, handshake, first, signIn string) string {
	switch {
	case f.isShakingHands():
		return handshake
	case f.Phase == "greeting" || f.Phase == "connect":
		return first
	case f.Phase == "auth":
		return signIn
	}
	return later
}

// address is the IP address that was tried, where the error tells; else the zero one.
func (f *Failure) address() netip.Addr {
	var op *net.OpError
	if !errors.As(f.Err, &op) || op.Addr == nil {
		return netip.Addr{}
	}
	at, err := netip.ParseAddrPort(op.Addr.String())
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap()
}

// meant is the server that may have been meant by a name that does not exist.
func (f *Failure) meant() string {
	if f.Meant == nil {
		return ""
	}
	return f.Meant()
}
