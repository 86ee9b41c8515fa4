// Package imap reads a mailbox by IMAP (RFC 3501, RFC 9051), whatever the server does.
//
// A [Client] is one connection. What the server sends goes through a lexer that
// finds the end of every response without understanding it, and then through a
// parser whose failure costs one item of one response. Only a lost connection, a
// literal that is cut off and a BYE cost the connection.
package imap
