package client

import (
	"context"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// watchNetwork sends to changed, which has room for one value, when links, addresses or routes change, until ctx ends
// (rtnetlink(7)).
func watchNetwork(ctx context.Context, changed chan<- struct{}) {
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, &netlink.Config{
		Groups: unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR | unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV6_ROUTE})
	if err != nil {
		pollNetwork(ctx, changed) // a sandbox without netlink
		return
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })()
	for ctx.Err() == nil {
		if _, err := conn.Receive(); err != nil && ctx.Err() == nil {
			time.Sleep(100 * time.Millisecond) // the buffer overflowed, so something changed
		}
		select {
		case changed <- struct{}{}:
		default:
		}
	}
}
