package daemon

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// CustomFormat is a LogFormat of an administrator's own, with the time first, the virtual host
// in brackets and the client as the error log writes it.
const CustomFormat = `%t [%v:%p] [client %h] "%r" %>s %b "%{User-Agent}i"`

// Apache says how the web server is set up.
type Apache struct {
	// LogLevel is Apache's, "warn" (Debian's) if it is empty. At "info" every 404 is also in
	// the error log.
	LogLevel string
}

// StartApache starts Apache on port 80 of the machine's addresses. Under /var/log/apache2 it
// writes the same requests to access.log (combined), vhost.log (vhost_combined), custom.log
// ([CustomFormat]), and what went wrong to error.log. It serves a page, a WordPress played by
// shell scripts, and /private/, which asks for the [Account].
func (m *Machine) StartApache(ctx context.Context, o Apache) error {
	if o.LogLevel == "" {
		o.LogLevel = "warn"
	}
	files := map[string]string{
		"etc/apache2/apache2.conf":        fmt.Sprintf(apacheConf, o.LogLevel, strings.ReplaceAll(CustomFormat, `"`, `\"`)),
		"etc/apache2/users":               Account + ":" + passwordHash + "\n",
		"var/www/html/index.html":         "<!doctype html><title>Cats</title><p>Cats.\n",
		"var/www/html/style.css":          "p { color: teal }\n",
		"var/www/html/private/index.html": "<!doctype html><p>Private cats.\n",
		"var/www/wordpress/wp-login.php":  wordPressLogin,
		"var/www/wordpress/xmlrpc.php":    xmlrpcFault,
	}
	for name, text := range files {
		path := filepath.Join(m.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			return err
		}
	}
	return m.start(ctx, "/run/apache2.pid", "/usr/sbin/apache2", "-DFOREGROUND")
}

const apacheConf = `ServerRoot /etc/apache2
PidFile /run/apache2.pid
Mutex file:/run/lock
User www-data
Group www-data
Listen 80
ServerName www.example.com
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authn_core_module /usr/lib/apache2/modules/mod_authn_core.so
LoadModule authn_file_module /usr/lib/apache2/modules/mod_authn_file.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule authz_user_module /usr/lib/apache2/modules/mod_authz_user.so
LoadModule auth_basic_module /usr/lib/apache2/modules/mod_auth_basic.so
LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
LoadModule mime_module /usr/lib/apache2/modules/mod_mime.so
LoadModule cgid_module /usr/lib/apache2/modules/mod_cgid.so
TypesConfig /etc/mime.types
ScriptSock /run/cgid.sock
StartServers 1
ThreadsPerChild 25

LogLevel %s
ErrorLog /var/log/apache2/error.log
LogFormat "%%v:%%p %%h %%l %%u %%t \"%%r\" %%>s %%O \"%%{Referer}i\" \"%%{User-Agent}i\"" vhost_combined
LogFormat "%%h %%l %%u %%t \"%%r\" %%>s %%O \"%%{Referer}i\" \"%%{User-Agent}i\"" combined
CustomLog /var/log/apache2/access.log combined
CustomLog /var/log/apache2/vhost.log vhost_combined
CustomLog /var/log/apache2/custom.log "%s"

<Directory />
	Require all denied
</Directory>
<Directory /var/www>
	Require all granted
</Directory>
DocumentRoot /var/www/html
DirectoryIndex index.html
ScriptAlias /wp-login.php /var/www/wordpress/wp-login.php
ScriptAlias /xmlrpc.php /var/www/wordpress/xmlrpc.php
<Location /private>
	AuthType Basic
	AuthName "Private cats"
	AuthUserFile /etc/apache2/users
	Require valid-user
</Location>
`

// wordPressLogin answers as WordPress does: the form again with status 200 after a wrong
// password, a redirection after the right one.
const wordPressLogin = `#!/bin/sh
read -r form
case $form in
*pwd=correct+horse*) printf 'Status: 302 Found\r\nLocation: /wp-admin/\r\n\r\n' ;;
*) printf 'Content-Type: text/html\r\n\r\n<form method="post">\n' ;;
esac
`

// xmlrpcFault answers as WordPress does after a wrong password: with status 200.
const xmlrpcFault = `#!/bin/sh
cat >/dev/null
printf 'Content-Type: text/xml\r\n\r\n<methodResponse><fault/></methodResponse>\n'
`
