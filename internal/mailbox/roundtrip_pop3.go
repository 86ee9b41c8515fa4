package mailbox

import (
	"context"
	"slices"
	"strings"

	"github.com/postroom/postroom/internal/mail/pop3"
)

// popCandidates is how many of the newest messages are looked at where the server's
// names do not tell which is ours.
const popCandidates = 10

// clearPOP3 removes mails by POP3, in a session of its own, while the reader steps
// aside. Each is identified by its header; nothing is fetched by RETR, which servers
// take for having been given away.
func (t *trip) clearPOP3(ctx context.Context, mails []ownMail) cleared {
	resume, err := t.aside(ctx, t.m.ID)
	if err != nil {
		return cleared{left: t.couldNotClear(err)}
	}
	defer resume()
	r := t.tester().alone(IncomingSide, t.m, t.in)
	defer r.opening.end()
	client, err := r.signInPOP3(ctx)
	if err != nil {
		return cleared{left: t.couldNotClear(r.inUse(err))}
	}
	defer client.Close()
	if why := notByPOP3(client); why != "" {
		return cleared{left: staysThere(why)}
	}
	marked, err := markOwn(ctx, client, mails)
	if err == nil && marked > 0 {
		err = client.Quit(ctx)
	}
	switch {
	case err != nil:
		return cleared{left: t.couldNotClear(err)}
	case marked == 0:
		return cleared{}
	}
	return cleared{folders: []string{"INBOX"}, unseen: true}
}

// notByPOP3 says why nothing can be deleted at a server without a risk for other
// mail; empty: it can.
func notByPOP3(client *pop3.Client) string {
	days, expires := client.Expire()
	switch {
	case client.IsGmail():
		return "by POP3, Gmail hides what it has handed out once, and does with it what its owner has chosen there."
	case !client.Has("TOP"):
		return "this server does not show a header alone (it lacks TOP), so the mail cannot be told from others."
	case expires && days == 0:
		return "this server deletes whatever was looked at."
	}
	return ""
}

// markOwn marks those of the messages for deletion that are mails of round trips.
func markOwn(ctx context.Context, client *pop3.Client, mails []ownMail) (marked int, err error) {
	all, hasUIDL, err := client.List(ctx)
	if err != nil {
		return 0, err
	}
	var names, ids []string
	for _, m := range mails {
		ids = append(ids, m.ids...)
		for _, a := range m.arrivals {
			names = append(names, a.Name.UIDL)
		}
	}
	for i, m := range all {
		isLikely := len(all)-i <= popCandidates || hasUIDL && m.UIDL != "" && slices.Contains(names, m.UIDL)
		if !isLikely {
			continue
		}
		header, err := client.Top(ctx, m.Number)
		if err != nil && !client.Usable() {
			return 0, err
		}
		if err != nil || !slices.Contains(ids, messageIDIn(header)) {
			continue
		}
		if err := client.Delete(ctx, m.Number); err != nil {
			return 0, err
		}
		marked++
	}
	return marked, nil
}

// messageIDIn returns the Message-ID in a header, without brackets; empty: there is
// none.
func messageIDIn(header []byte) string {
	lines := strings.Split(strings.ReplaceAll(string(header), "\r\n", "\n"), "\n")
	for i, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if !ok || !strings.EqualFold(strings.TrimSpace(name), "Message-ID") {
			continue
		}
		for _, more := range lines[i+1:] { // RFC 5322 section 2.2.3
			if more == "" || more[0] != ' ' && more[0] != '\t' {
				break
			}
			value += more
		}
		return strings.Trim(value, " \t<>")
	}
	return ""
}
