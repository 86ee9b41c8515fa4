package simulator

import (
	"strings"

	"github.com/postroom/postroom"
)

// ReplyAt are faults with which a server says a reply at a step of the conversation,
// in place of what it would say. The reply stands as in [Faults].Replies: without a
// tag, its lines divided by LF. ok is false where the protocol has no such step.
//
// The steps are greeting, capability, starttls, auth, select, list, fetch, idle,
// noop, append, mail_from, rcpt_to, data, end (of the message) and quit. At auth the
// reply follows name and password; what follows only the name of a user by POP3 is
// user. To be heard at starttls, the client must want it: SMTP then offers it.
func ReplyAt(p postroom.Protocol, step, reply string) (f Faults, ok bool) {
	switch {
	case step == "auth":
		return Faults{RefuseLogin: reply}, true
	case p == postroom.IMAP && step == "idle" && strings.HasPrefix(reply, "* BYE "):
		return Faults{ByeInIdle: strings.TrimPrefix(reply, "* BYE ")}, true
	}
	commands := commandsAt(p, step)
	if len(commands) == 0 {
		return Faults{}, false
	}
	f.Replies = map[string]string{}
	for _, c := range commands {
		f.Replies[c] = reply
	}
	if p == postroom.SMTP && step == "starttls" {
		f.Replies["EHLO"] = "250-pretend.example.net\n250-STARTTLS\n250 8BITMIME"
	}
	return f, true
}

// commandsAt are the commands that make up a step.
func commandsAt(p postroom.Protocol, step string) []string {
	if step == "greeting" {
		return []string{"GREETING"}
	}
	return map[postroom.Protocol]map[string][]string{
		postroom.IMAP: {
			"capability": {"CAPABILITY"}, "starttls": {"STARTTLS"}, "select": {"SELECT", "EXAMINE"}, "list": {"LIST"},
			"fetch": {"FETCH", "UID FETCH"}, "idle": {"IDLE"}, "noop": {"NOOP"}, "append": {"APPEND"}, "quit": {"LOGOUT"},
		},
		postroom.POP3: {
			"capability": {"CAPA"}, "starttls": {"STLS"}, "user": {"USER"}, "list": {"STAT", "LIST", "UIDL"},
			"fetch": {"RETR", "TOP"}, "noop": {"NOOP"}, "quit": {"QUIT"},
		},
		postroom.SMTP: {
			"capability": {"EHLO"}, "starttls": {"STARTTLS"}, "noop": {"NOOP"}, "mail_from": {"MAIL"}, "rcpt_to": {"RCPT"},
			"data": {"DATA"}, "end": {"."}, "quit": {"QUIT"},
		},
	}[p][step]
}
