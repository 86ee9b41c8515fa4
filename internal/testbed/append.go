package testbed

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// Deliver puts messages into a folder of a user, dated now. It makes the folder,
// whose levels are separated by slashes, where there is none. Every line of the
// messages must end in CRLF: Cyrus takes no others.
func (c *CyrusServer) Deliver(user, folder string, messages ...[]byte) {
	c.t.Helper()
	c.DeliverAt(time.Now(), user, folder, messages...)
}

// DeliverAt is Deliver with an INTERNALDATE.
func (c *CyrusServer) DeliverAt(at time.Time, user, folder string, messages ...[]byte) {
	c.t.Helper()
	if err := c.appendAll(at, user, folder, messages); err != nil {
		c.t.Fatalf("deliver to %s of %s: %v", folder, user, err)
	}
}

// appendAll delivers as a client does, by IMAP: the files of Cyrus are its own.
func (c *CyrusServer) appendAll(at time.Time, user, folder string, messages [][]byte) error {
	connection, err := net.DialTimeout("tcp", net.JoinHostPort(c.Host, strconv.Itoa(c.IMAPPort)), 5*time.Second)
	if err != nil {
		return err
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	answers := bufio.NewReader(connection)
	say := func(tag, command string) error {
		if _, err := connection.Write([]byte(tag + " " + command + "\r\n")); err != nil {
			return err
		}
		for {
			line, err := answers.ReadString('\n')
			if err != nil {
				return err
			}
			if rest, is := strings.CutPrefix(line, tag+" "); is && !strings.HasPrefix(rest, "OK") {
				return fmt.Errorf("%.20s…: %s", command, rest)
			} else if is {
				return nil
			}
		}
	}
	literal := func(text string) string { return fmt.Sprintf("{%d+}\r\n%s", len(text), text) }
	if err := say("login", "LOGIN "+literal(user)+" "+literal(c.passwords[user])); err != nil {
		return err
	}
	if !strings.EqualFold(folder, "INBOX") {
		folder = "INBOX/" + folder
		_ = say("create", "CREATE "+literal(folder)) // it may be there; if not, APPEND says so
	}
	date := at.Format("02-Jan-2006 15:04:05 -0700")
	for i, message := range messages {
		if err := say(fmt.Sprintf("append%d", i), fmt.Sprintf(`APPEND %s "%s" %s`, literal(folder), date, literal(string(message)))); err != nil {
			return err
		}
	}
	return say("logout", "LOGOUT")
}
