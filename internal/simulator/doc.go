// Package simulator is a pretend mail provider with faults on demand.
//
// A [Server] is an IMAP server with accounts, folders and messages; a [Script] is
// a server that follows a written dialogue; [Drip] writes the mail of a small
// business; [Generate] makes mail of mixed shape in any number. All listen on
// loopback only.
package simulator
