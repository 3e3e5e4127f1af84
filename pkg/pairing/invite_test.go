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
	var invitations Invitations
	for range maxInvitations {
		if _, err := invitations.Invite(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := invitations.Invite(); err == nil {
		t.Error("there is no limit")
	}
}
