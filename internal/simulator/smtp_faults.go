package simulator

// SMTPFaults are what goes wrong only by SMTP.
type SMTPFaults struct {
	// CutInData ends the connection when so many bytes of a message were read.
	CutInData int64
}
