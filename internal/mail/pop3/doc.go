// Package pop3 reads a mailbox by POP3 (RFC 1939, RFC 2449), whatever the server does.
//
// A [Client] is one session. What the server sends is read line by line with a
// bound on everything; a line that makes no sense costs what it would have said.
// An answer that is neither +OK nor -ERR, words that nobody asked for, a message
// that is cut off and a silence cost the connection: POP3 has no tags, so that a
// client which has lost count can only begin anew.
package pop3
