package testbed

import (
	"fmt"
	"net/url"
	"strings"
)

// configuration returns dovecot.conf (Dovecot 2.3). All processes run as one user
// without chroot, so that it needs no rights; there is no waiting after a wrong
// password; mail is not synced to disk.
func (d *DovecotServer) configuration(o DovecotOptions) []byte {
	mechanisms, tls, onlySafe := "plain login scram-sha-256", "yes", "no"
	if o.Mechanisms != "" {
		mechanisms = o.Mechanisms
	}
	more := o.Extra
	if o.Tokens != "" {
		mechanisms += " xoauth2 oauthbearer"
		more = tokensConf + more
	}
	if o.Relay != "" {
		more = submissionConf + more
	}
	if o.RequireTLS {
		tls, onlySafe = "required", "yes"
	}
	return []byte(strings.NewReplacer(
		"DIR", d.dir, "USER", d.account.name, "GROUP", d.account.group,
		"UID", fmt.Sprint(d.account.uid), "GID", fmt.Sprint(d.account.gid),
		"IMAP_PORT", fmt.Sprint(d.IMAPPort), "IMAPS_PORT", fmt.Sprint(d.IMAPSPort),
		"POP3_PORT", fmt.Sprint(d.POP3Port), "POP3S_PORT", fmt.Sprint(d.POP3SPort),
		"SUBMISSION_PORT", fmt.Sprint(d.SubmissionPort), "SUBMISSIONS_PORT", fmt.Sprint(d.SubmissionsPort),
		"RELAY", d.relay(o), "MECHANISMS", mechanisms, "TLS", tls, "HOST", d.Host, "ONLY_SAFE", onlySafe,
	).Replace(dovecotConf+more) + "\n")
}

// mailbox_idle_check_interval stands in for inotify, of which Linux gives a user
// only 128 by default, fewer than there are connections in IDLE here.
const dovecotConf = `
protocols = imap pop3
listen = HOST
base_dir = DIR/run
state_dir = DIR/state
log_path = DIR/dovecot.log
instance_name = postroom-test
default_internal_user = USER
default_internal_group = GROUP
default_login_user = USER
default_client_limit = 20000
default_process_limit = 100
first_valid_uid = 1
first_valid_gid = 1

ssl = TLS
ssl_cert = <DIR/cert.pem
ssl_key = <DIR/key.pem
disable_plaintext_auth = ONLY_SAFE
auth_mechanisms = MECHANISMS
auth_username_format = %u
auth_failure_delay = 0
auth_cache_size = 0

passdb {
  driver = passwd-file
  args = username_format=%u DIR/users
}
userdb {
  driver = static
  args = uid=UID gid=GID home=DIR/mail/%u
}

mail_location = maildir:~/Maildir:UTF-8
mail_fsync = never
mail_max_userip_connections = 5000
mailbox_idle_check_interval = 1 secs
namespace inbox {
  inbox = yes
  separator = /
}
pop3_uidl_format = %g

service anvil {
  chroot =
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service imap-login {
  chroot =
  service_count = 0
  process_min_avail = 1
  client_limit = 5000
  inet_listener imap {
    port = IMAP_PORT
  }
  inet_listener imaps {
    port = IMAPS_PORT
    ssl = yes
  }
}
service pop3-login {
  chroot =
  service_count = 0
  process_min_avail = 1
  client_limit = 5000
  inet_listener pop3 {
    port = POP3_PORT
  }
  inet_listener pop3s {
    port = POP3S_PORT
    ssl = yes
  }
}
service imap {
  process_limit = 2000
}
service pop3 {
  process_limit = 2000
}
service stats {
  chroot =
}
service ipc {
  chroot =
}
`

// tokensConf comes before the passwords, which are not asked about tokens.
const tokensConf = `
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = DIR/oauth2.conf
}
`

// submissionConf has the server take mail and hand it over.
const submissionConf = `
protocols = imap pop3 submission
hostname = localhost
RELAY
service submission-login {
  chroot =
  service_count = 0
  process_min_avail = 1
  inet_listener submission {
    port = SUBMISSION_PORT
  }
  inet_listener submissions {
    port = SUBMISSIONS_PORT
    ssl = yes
  }
}
`

// lookup returns the settings for tokens. Whose a token is has to be the user that
// signs in, letter by letter.
func (d *DovecotServer) lookup(o DovecotOptions) []byte {
	return fmt.Appendf(nil, `introspection_url = %s
introspection_mode = post
force_introspection = yes
username_attribute = username
username_format = %%u
active_attribute = active
active_value = true
timeout_msecs = 5000
`, o.Tokens)
}

// relay returns the settings for where mail is handed over.
func (d *DovecotServer) relay(o DovecotOptions) string {
	if o.Relay == "" {
		return ""
	}
	to, err := url.Parse("smtp://" + o.Relay)
	if err != nil || to.Port() == "" {
		d.t.Fatalf("%q is no relay: %v", o.Relay, err)
	}
	password, _ := to.User.Password()
	return fmt.Sprintf("submission_relay_host = %s\nsubmission_relay_port = %s\nsubmission_relay_user = %s\nsubmission_relay_password = %s",
		to.Hostname(), to.Port(), to.User.Username(), password)
}
