package diagnose

// What is said of servers, networks and certificates, where it is known better than a
// class says it. HOST stands for the host, %s and %d for what is named beside each.

// Of conversations that end.
const (
	brokeOff             = "The conversation with HOST broke off."
	remedyWait           = "Nothing has to be done: the next try comes by itself. If this lasts, ask whoever runs the server."
	signInNotAccepted    = "SERVER did not accept this sign-in."
	unknownRefusal       = "SERVER refused the sign-in for a reason that Postroom does not know."
	remedyUnknownRefusal = "Check the user name and the password. If both are right, ask whoever runs the server, with its own words below."

	cut            = "The connection to %s was cut."                               // host
	cutInHandshake = "The connection to %s was cut while it was being encrypted."  // host
	cutAtFirst     = "The connection to %s was cut before the server said a word." // host
	cutInSignIn    = "The connection to %s was cut during the sign-in."            // host

	closed            = "%s closed the connection without a word."                                        // host
	closedInHandshake = "%s closed the connection instead of encrypting it."                              // host
	closedAtFirst     = "%s took the connection and closed it at once, without a word."                   // host
	closedInSignIn    = "%s closed the connection during the sign-in, without a word."                    // host
	silent            = "%s did not answer within %s."                                                    // host, time
	silentInHandshake = "%s did not answer within %s: it took the connection, but did not encrypt it."    // host, time
	silentAtFirst     = "%s did not answer within %s: it took the connection, but did not say who it is." // host, time
	silentInSignIn    = "%s did not answer the sign-in within %s."                                        // host, time
	remedyHandshake   = "Check the port: on some, encryption is begun later (STARTTLS). Where the port is right, a firewall in between may swallow the connection; the next try comes by itself."
	stoppedAnswering  = "%s stopped answering." // host
)

// Of names and networks.
const (
	noSuchName        = "There is no server with the name %s."                                                 // host
	remedyMeant       = "Did you mean %s? Enter that; otherwise check how the name is spelled."                // host
	nameServiceSilent = "The name service of this network gave no answer about %s."                            // host
	nothingAnswers    = "Nothing answers at %s on port %d."                                                    // host, port
	remedyUsualPorts  = "Check server name and port. Usual is port %d with SSL/TLS, or port %d with STARTTLS." // ports
	unreachable       = "%s cannot be reached from this network."                                              // host
	unreachableIPv6   = "%s cannot be reached from this network at its IPv6 address, %s."                      // host, address
	remedyIPv6        = "This network has no way to that address. Its administrator can repair IPv6, or switch it off for the computer that runs Postroom; the next try comes by itself."
	notPermitted      = "The computer that runs Postroom does not let it connect to %s on port %d." // host, port
)

// Of who answers, and how.
const (
	whoAnswers          = "What answers at %s, port %d, is %s." // host, port, who
	anIMAPServer        = "an IMAP server"
	aPOP3Server         = "a POP3 server"
	anSMTPServer        = "a server for sending mail (SMTP)"
	aWebServer          = "a web server"
	anSSHServer         = "a server for remote work (SSH)"
	aScreenServer       = "a server for remote screens (VNC)"
	remedyStranger      = "Check the server name and the port."
	remedyWebServer     = "Check the server name and the port. If both are right, something in this network answers in the server’s place: open any web page in a browser on the computer that runs Postroom, and see whether somebody wants a sign-in there."
	remedyOtherProtocol = "Check the name of the incoming server, the port, and whether the mailbox is to be read by IMAP or by POP3."
	remedySendingServer = "This server is for sending. Enter the name and the port of the server for reading."
	remedyReadingServer = "This server is for reading. Enter the name and the port of the server for sending."

	beginsInClear      = "%s does not begin with encryption on port %d."                 // host, port
	silentInClear      = "%s says nothing on port %d until the connection is encrypted." // host, port
	remedyImplicit     = "Choose SSL/TLS for port %d, or STARTTLS with port %d."         // port, other port
	remedyImplicitPort = "Choose SSL/TLS with port %d."                                  // port
	remedyStartTLS     = "Choose STARTTLS for port %d, or SSL/TLS with port %d."         // port, other port
	remedyOtherService = "Check the server name and the port: this port normally begins with encryption, and another service answers on it."
	noStartTLS         = "%s offers no STARTTLS on port %d."                                                                                                 // host, port
	remedyNoStartTLS   = "Choose SSL/TLS with port %d. Postroom never goes on without encryption by itself: whoever is in between may have hidden STARTTLS." // port
	noSignInOffered    = "%s offers no way to sign in on port %d that Postroom knows."                                                                       // host, port
)

// Of encryption and certificates.
const (
	oldVersion       = "%s offers no encryption that is safe today: its TLS is older than version 1.2." // host
	noCommonCipher   = "%s offers no encryption that is safe today."                                    // host
	unknownItself    = "%s does not know itself by this name."                                          // host
	wantsCertificate = "%s wants Postroom to show a certificate of its own."                            // host
	notValidYet      = "The certificate of HOST is not valid yet."
	hasRunOut        = "The certificate of HOST has run out."

	ranOut            = "The certificate of %s has run out, on %s."                                                                     // host, day
	notYetValid       = "The certificate of %s is not valid yet: it begins on %s."                                                      // host, day
	remedyNotYetValid = "Check the clock of the computer that runs Postroom: it shows %s. If it is right, ask whoever runs the server." // moment
	wrongClock        = "The clock of the computer that runs Postroom is wrong: it shows %s."                                           // day
	remedyClock       = "Set its clock, and let it be kept right by a time server (NTP). Until then no certificate can be checked."

	selfSigned          = "The certificate of HOST is not trusted: the server has signed it itself."
	remedySelfSigned    = "If you run this server, trust exactly this certificate after checking its fingerprint, or get one from a public authority such as Let’s Encrypt. Otherwise ask whoever runs it."
	ownAuthority        = "The certificate of %s is not trusted: it was issued by %s, which this computer does not know." // host, issuer
	remedyOwnAuthority  = "If that is your organisation’s own authority, enter its certificate as the CA certificate; or trust exactly this certificate after checking its fingerprint. Otherwise ask whoever runs the server."
	missingMiddle       = "%s shows a certificate that is not trusted, because the one of %s that vouches for it was not sent along." // host, issuer
	remedyMissingMiddle = "Ask whoever runs the server to send its full chain of certificates (often called fullchain.pem). Until then you can trust exactly this certificate after checking its fingerprint."
	middleRunOut        = "The certificate of HOST is not trusted: one that vouches for it has run out."
	weakSignature       = "The certificate of HOST is not trusted: it is signed in a way that is no longer safe."
	notForServers       = "The certificate of HOST is not trusted: it was not made for a server, or not by somebody who may."
	damaged             = "The certificate of HOST is not trusted: it is damaged, or too weak to be safe."
	withdrawn           = "The certificate of HOST is not trusted: the authority that issued it has withdrawn it."
	remedyWithdrawn     = "Ask whoever runs the server for a new certificate. Until then do not trust this one: somebody else may have its key."
	remedyRenew         = "Ask whoever runs the server to renew its certificates. Until then you can trust exactly this one after checking its fingerprint."
	noRoots             = "The certificate of HOST is not trusted: this computer has no list of authorities."
	remedyNoRoots       = "Install the certificates of public authorities on the computer that runs Postroom (the package is mostly called ca-certificates)."
	intercepted         = "The encrypted connection to %s is opened on its way, by %s." // host, who
	remedyIntercepted   = "Ask the administrator of this network, or of the virus scanner, to leave connections to mail servers alone. If that is not possible, enter its certificate as the CA certificate."
	showsNames          = "It shows %s. " // names
	nobody              = "somebody without a name"

	injected         = "Something was put into the connection to HOST before it was encrypted."
	remedyInjected   = " If that is not offered, ask whoever runs the server."
	otherPin         = " shows another certificate than the one that was pinned for this mailbox." // after the host
	remedyOtherPin   = "Ask whoever runs the server whether the certificate was renewed. If it was, pin the new one; if not, somebody else may be answering in its place."
	damagedPin       = "The fingerprint of the certificate is not complete."
	remedyDamagedPin = "Enter its SHA-256: 64 digits from 0 to 9 and a to f."
	damagedCA        = "The CA certificate of this mailbox cannot be read."
	remedyDamagedCA  = "Paste the whole file in PEM form; it begins with -----BEGIN CERTIFICATE-----."
)

// Further causes that the catalogue cannot know, each a clause.
const (
	otherEnded         = "the app password was deleted, or it ended when the account’s own password was changed"
	otherUsername      = "the user name is not right"
	otherClock         = "the clock of the computer that runs Postroom is wrong: it shows %s" // day
	otherBlocked       = "the server does not let in the address of this network"
	otherFirewall      = "a firewall in between ends such connections"
	otherWrongPlace    = "the server name or the port is not right"
	otherDown          = "the server is being restarted"
	otherPretender     = "somebody else answers in the server’s place"
	otherPortal        = "a sign-in page of this network answers in the server’s place"
	otherProxy         = "a proxy or a virus scanner answers in the server’s place"
	otherOwnAuthority  = "it was issued by an organisation’s own authority, which this computer does not know"
	otherMissingMiddle = "the server does not send the certificate that vouches for its own"
)
