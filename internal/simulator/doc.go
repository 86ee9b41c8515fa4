// Package simulator is a pretend mail provider with faults on demand.
//
// A [Server] has accounts, folders and messages, and gives them by IMAP; a
// [POP3Server] of it gives their INBOX by POP3, and an [SMTPServer] takes their
// mail. An [OAuthServer] of it signs people in on its pages, as Google or Microsoft do,
// and its tokens open the accounts. A [Script] is a server that follows a written dialogue; [Drip] writes the
// mail of a small business; [Generate] makes mail of mixed shape in any number. All
// listen on loopback only.
package simulator
