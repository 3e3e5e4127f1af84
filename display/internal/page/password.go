package page

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"github.com/pialert/pialert/pkg/private"
)

// What a hash costs: Argon2id with the least of OWASP's password storage cheat sheet (19 MiB, two
// passes, one lane), which takes a Pi Zero about a second.
const (
	hashMemory = 19 << 10 // KiB
	hashPasses = 2
	hashLanes  = 1
	hashLong   = 32
	saltLong   = 16
)

// Bounds of a password. Eight characters are the least of NIST SP 800-63B; what is longer than the
// upper one only costs.
const (
	minPassword = 8    // characters
	maxPassword = 1024 // bytes
)

// HashPassword returns the text to keep of a password, in the PHC string format. It refuses a
// password that is too short or too long.
func HashPassword(password string) (string, error) {
	switch {
	case utf8.RuneCountInString(password) < minPassword:
		return "", fmt.Errorf("the password is too short: give at least %d characters", minPassword)
	case len(password) > maxPassword:
		return "", fmt.Errorf("the password is too long: give at most %d bytes", maxPassword)
	}
	salt := make([]byte, saltLong)
	rand.Read(salt)
	sum := argon2.IDKey([]byte(password), salt, hashPasses, hashMemory, hashLanes, hashLong)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, hashMemory, hashPasses, hashLanes,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(sum)), nil
}

// errNoHash says that a text is none that HashPassword returned.
var errNoHash = errors.New("it is no hash of a password: set a new one with pialert-display web password")

// checkPassword says whether a password is that of a hash. It costs what making the hash did.
func checkPassword(hash, password string) (bool, error) {
	parts := strings.Split(strings.TrimSpace(hash), "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false, errNoHash
	}
	var version, memory, passes, lanes uint32
	if _, err := fmt.Sscanf(parts[2]+" "+parts[3], "v=%d m=%d,t=%d,p=%d", &version, &memory, &passes, &lanes); err != nil {
		return false, errNoHash
	}
	salt, saltErr := base64.RawStdEncoding.DecodeString(parts[4])
	sum, sumErr := base64.RawStdEncoding.DecodeString(parts[5])
	if saltErr != nil || sumErr != nil || len(sum) == 0 || version != argon2.Version ||
		passes == 0 || passes > 16 || lanes == 0 || lanes > 16 || memory > 1<<20 {
		return false, errNoHash
	}
	if len(password) > maxPassword {
		return false, nil
	}
	got := argon2.IDKey([]byte(password), salt, passes, memory, uint8(lanes), uint32(len(sum)))
	return subtle.ConstantTimeCompare(got, sum) == 1, nil
}

// The file of the password's hash, and how much of it is read.
const (
	passwordFile    = "web.password"
	maxPasswordFile = 1024
)

// PasswordIn returns the hash that is kept in a folder; empty if there is none.
func PasswordIn(dir string) (hash string, err error) {
	text, err := private.Dir(dir).Read(passwordFile, maxPasswordFile)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	hash = strings.TrimSpace(string(text))
	if err == nil && hash == "" {
		err = fmt.Errorf("cannot use %s: it is empty; set a password with pialert-display web password", private.Dir(dir).Path(passwordFile))
	}
	return hash, err
}

// SetPassword keeps a password's hash in a folder. Sessions of the former one end.
func SetPassword(dir, password string) error {
	hash, err := HashPassword(password)
	if err != nil {
		return err
	}
	return private.Dir(dir).Write(passwordFile, []byte(hash+"\n"))
}

// RemovePassword lets everybody who reaches the page read it.
func RemovePassword(dir string) error {
	err := os.Remove(private.Dir(dir).Path(passwordFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
