package simulator

// gmailSent is where Gmail keeps what was sent.
const gmailSent = "[Gmail]/Sent Mail"
