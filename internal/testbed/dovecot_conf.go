package testbed

import (
	"fmt"
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
	if o.RequireTLS {
		tls, onlySafe = "required", "yes"
	}
	return []byte(strings.NewReplacer(
		"DIR", d.dir, "USER", d.account.name, "GROUP", d.account.group,
		"UID", fmt.Sprint(d.account.uid), "GID", fmt.Sprint(d.account.gid),
		"IMAP_PORT", fmt.Sprint(d.IMAPPort), "IMAPS_PORT", fmt.Sprint(d.IMAPSPort),
		"POP3_PORT", fmt.Sprint(d.POP3Port), "POP3S_PORT", fmt.Sprint(d.POP3SPort),
		"MECHANISMS", mechanisms, "TLS", tls, "HOST", d.Host, "ONLY_SAFE", onlySafe,
	).Replace(dovecotConf) + o.Extra + "\n")
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
