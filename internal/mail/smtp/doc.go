// Package smtp hands one message to a server (RFC 5321, RFC 6409) and says
// honestly what is known of its fate: not sent, sent, or uncertain.
package smtp
