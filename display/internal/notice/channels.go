package notice

import (
	"errors"
	"fmt"
	"net/url"

	"github.com/pialert/pialert/display/internal/notice/channel"
	"github.com/pialert/pialert/display/internal/notice/ntfy"
	"github.com/pialert/pialert/display/internal/notice/smtp"
	"github.com/pialert/pialert/display/internal/notice/telegram"
	"github.com/pialert/pialert/display/internal/notice/webhook"
	"github.com/pialert/pialert/pkg/config"
)

// Channels opens the configured channels. Their secrets are read from their files now.
func Channels(c Config) (map[string]Channel, error) {
	channels := map[string]Channel{}
	var problems []error
	for _, one := range c.Channels {
		opened, err := one.open(readSecret)
		if err != nil {
			problems = append(problems, fmt.Errorf("cannot open the channel %s: %w", one.Name, err))
			continue
		}
		channels[one.Name] = opened
	}
	return channels, errors.Join(problems...)
}

// check finds what is wrong without reading any secret.
func (c *ChannelConfig) check() error {
	_, err := c.open(func(string) (string, error) { return "x", nil })
	return err
}

// open makes the one service that is given; secret reads a secret's file, and nothing of none.
func (c *ChannelConfig) open(secret func(path string) (string, error)) (opened Channel, err error) {
	client := channel.NewHTTPClient()
	count := 0
	if t := c.Telegram; t != nil {
		count++
		if t.Chat == "" || t.TokenFile == "" {
			return nil, errors.New("telegram needs chat and token_file")
		}
		if err := checkURL(t.URL, telegram.DefaultURL); err != nil {
			return nil, err
		}
		token, err := secret(t.TokenFile)
		if err != nil {
			return nil, err
		}
		opened = telegram.New(telegram.Options{URL: t.URL, Chat: t.Chat, Token: token}, client)
	}
	if s := c.SMTP; s != nil {
		count++
		if (s.User == "") != (s.PasswordFile == "") {
			return nil, errors.New("user and password_file go together")
		}
		password, err := secret(s.PasswordFile)
		if err != nil {
			return nil, err
		}
		if opened, err = smtp.New(smtp.Options{Server: s.Server, TLS: s.TLS, From: s.From, To: s.To, User: s.User, Password: password}); err != nil {
			return nil, err
		}
	}
	if n := c.Ntfy; n != nil {
		count++
		token, err := secret(n.TokenFile)
		if err != nil {
			return nil, err
		}
		if opened, err = ntfy.New(ntfy.Options{URL: n.URL, Token: token}, client); err != nil {
			return nil, err
		}
	}
	if w := c.Webhook; w != nil {
		count++
		if err := checkURL(w.URL, ""); err != nil {
			return nil, err
		}
		key, err := secret(w.SecretFile)
		if err != nil {
			return nil, err
		}
		opened = webhook.New(webhook.Options{URL: w.URL, Secret: []byte(key)}, client)
	}
	if count != 1 {
		return nil, errors.New("give one of telegram, smtp, ntfy and webhook")
	}
	return opened, nil
}

func checkURL(text, otherwise string) error {
	if text == "" {
		text = otherwise
	}
	at, err := url.Parse(text)
	if err != nil || at.Host == "" || at.Scheme != "https" && at.Scheme != "http" {
		return errors.New("give a URL such as https://hooks.example.org/pialert")
	}
	return nil
}

// readSecret reads a secret's file, if one is named.
func readSecret(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	secret, err := config.ReadSecret(path)
	return secret.Reveal(), err
}
