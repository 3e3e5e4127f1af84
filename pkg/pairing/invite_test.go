package pairing

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestInvitationExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var invitations Invitations
		invitation, err := invitations.Invite()
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(InvitationLifetime - time.Nanosecond)
		if !invitations.Pending() {
			t.Error("it is gone before its ten minutes are over")
		}
		time.Sleep(time.Nanosecond)
		if invitations.Pending() {
			t.Error("it is pending after ten minutes")
		}
		if _, err := invitations.claim(invitation.Secret[:]); err == nil {
			t.Error("it can be redeemed after ten minutes")
		}
		if _, err := invitation.Wait(t.Context()); !errors.Is(err, ErrExpired) {
			t.Errorf("its holder hears %v", err)
		}
	})
}

func TestWaitEndsTheInvitation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var invitations Invitations
		ctx, cancel := context.WithCancel(t.Context())
		given, _ := invitations.Invite()
		time.AfterFunc(time.Second, cancel)
		if _, err := given.Wait(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("after cancelling: %v", err)
		}
		lapsed, _ := invitations.Invite()
		if _, err := lapsed.Wait(t.Context()); !errors.Is(err, ErrExpired) {
			t.Errorf("after waiting: %v", err)
		}
		if invitations.Pending() {
			t.Error("an invitation that nobody waits for is pending")
		}
	})
}

// An invitation that has expired is no longer there, whatever is asked of it first.
func TestAnExpiredInvitationIsGone(t *testing.T) {
	t.Parallel()
	for name, ask := range map[string]func(*Invitations, *Invitation) error{
		"found":    func(in *Invitations, i *Invitation) error { _, err := in.Find(i.Secret); return err },
		"redeemed": func(in *Invitations, i *Invitation) error { _, err := in.claim(i.Secret[:]); return err },
		"used":     func(in *Invitations, i *Invitation) error { return in.use(i) },
	} {
		synctest.Test(t, func(t *testing.T) {
			for _, age := range []time.Duration{InvitationLifetime - 1, InvitationLifetime} {
				var invitations Invitations
				invitation, _ := invitations.Invite()
				time.Sleep(age)
				want := error(nil)
				if age == InvitationLifetime {
					want = errNotPending
				}
				if err := ask(&invitations, invitation); !errors.Is(err, want) {
					t.Errorf("%s after %v: %v, want %v", name, age, err, want)
				}
			}
		})
	}
}

// Who waits for a token that is being redeemed at the last moment hears who redeemed it.
func TestTheLastMoment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var invitations Invitations
		invitation, _ := invitations.Invite()
		if err := invitations.use(invitation); err != nil {
			t.Fatal(err)
		}
		heard := make(chan string)
		go func() {
			peer, err := invitation.Wait(t.Context())
			if err != nil {
				t.Error(err)
			}
			heard <- peer.Name
		}()
		time.Sleep(InvitationLifetime)
		synctest.Wait()
		invitation.finish(Peer{Name: "desk"}, nil)
		if name := <-heard; name != "desk" {
			t.Errorf("%q redeemed it", name)
		}
	})
}

func TestWithdraw(t *testing.T) {
	t.Parallel()
	var invitations Invitations
	other, _ := invitations.Invite()
	invitation, _ := invitations.Invite()
	invitation.Withdraw()
	if _, err := invitations.claim(invitation.Secret[:]); !errors.Is(err, errNotPending) {
		t.Errorf("whoever has the token hears %v", err)
	}
	if _, err := invitation.Wait(t.Context()); !errors.Is(err, context.Canceled) {
		t.Errorf("its holder hears %v", err)
	}
	if _, err := invitation.Asked(t.Context()); !errors.Is(err, errNotPending) {
		t.Errorf("who asks for a candidate hears %v", err)
	}
	if err := invitation.Answer(t.Context(), true); !errors.Is(err, errNotPending) {
		t.Errorf("who answers hears %v", err)
	}
	if found, err := invitations.Find(other.Secret); err != nil || found != other {
		t.Errorf("the other one: %v", err)
	}
}

func TestOneClaimAtATime(t *testing.T) {
	t.Parallel()
	var invitations Invitations
	invitation, _ := invitations.Invite()
	claimed, err := invitations.claim(invitation.Secret[:])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := invitations.claim(invitation.Secret[:]); err == nil {
		t.Error("two hold the same token")
	}
	invitations.release(claimed)
	if claimed, err = invitations.claim(invitation.Secret[:]); err != nil {
		t.Fatalf("after a failed try: %v", err)
	}
	if err := invitations.use(claimed); err != nil {
		t.Fatal(err)
	}
	if err := invitations.use(claimed); err == nil {
		t.Error("it was used twice")
	}
}

// A secret has 128 bits: whoever tries wrong ones must not be able to take the owner's token away.
func TestWrongSecretsWithdrawNothing(t *testing.T) {
	t.Parallel()
	var invitations Invitations
	invitation, _ := invitations.Invite()
	for range 10_000 {
		if _, err := invitations.claim(make([]byte, SecretSize)); err == nil {
			t.Fatal("a wrong secret was taken")
		}
	}
	if _, err := invitations.claim(invitation.Secret[:]); err != nil {
		t.Errorf("after them the right one is refused: %v", err)
	}
}

func TestInvitationsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var invitations Invitations
		for range maxInvitations {
			if _, err := invitations.Invite(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := invitations.Invite(); err == nil {
			t.Error("there is no limit")
		}
		time.Sleep(InvitationLifetime)
		if _, err := invitations.Invite(); err != nil {
			t.Errorf("those that have expired take room: %v", err)
		}
	})
}
