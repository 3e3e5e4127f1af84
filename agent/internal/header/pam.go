package header

import "bytes"

// CutPAM tells what a PAM module said from what the program said, and returns the PAM service:
// "pam_unix(sshd:auth): ...", "pam_unix(auth): ...", "pam_unix: ..." and "(pam_unix) ...".
func (m *Message) CutPAM() (service []byte, ok bool) {
	if m.PAM != nil {
		return m.Tag, true
	}
	body := m.Body
	if len(body) > 5 && body[0] == '(' && bytes.HasPrefix(body, []byte("(pam_")) {
		end := bytes.Index(body, []byte(") "))
		if end < 0 {
			return nil, false
		}
		m.PAM, m.Body = body[1:end], body[end+2:]
		return m.Tag, true
	}
	if len(body) < 5 || body[0] != 'p' || !bytes.HasPrefix(body, []byte("pam_")) {
		return nil, false
	}
	colon := bytes.Index(body, []byte(": "))
	if colon < 0 {
		return nil, false
	}
	module := body[:colon]
	service = m.Tag
	if open := bytes.IndexByte(module, '('); open >= 0 {
		inner := bytes.TrimSuffix(module[open+1:], []byte(")"))
		module = module[:open]
		if kind := bytes.IndexByte(inner, ':'); kind > 0 {
			service = inner[:kind]
		}
	}
	if bytes.IndexByte(module, ' ') >= 0 {
		return nil, false
	}
	m.PAM, m.Body = module, body[colon+2:]
	return service, true
}
