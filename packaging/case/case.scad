// A case for a Raspberry Pi Zero with a Blinkt! on its header and a four-digit TM1637 module:
// two parts that snap together, without screws and glue.
//
//   part = "tray"    the Pi lies in it, the latches stand on it
//   part = "lid"     has the diffuser over the Blinkt! and the window for the digits
//   part = "both"    the case opened, for a picture
//   part = "inside"  the same with Pi, Blinkt! and digits in place
//
// All lengths are millimetres. Sources: Raspberry Pi Zero mechanical drawing (65 × 30, holes
// 58 × 23, connectors along the long edge); Blinkt! and TM1637 as sold, measured with callipers
// to half a millimetre, so check yours: modules differ.

part = "both";

// What goes in.
pi = [65, 30, 1.4];            // the board
pi_holes = [58, 23];           // distance of the mounting holes
pi_hole = 2.4;                 // pegs fit M2.5 holes
usb = [[41.4, 11], [54, 11]];  // data and power: centre from the left edge, width of a plug
hdmi = [12.4, 13.5];
sd = [16.9, 13];               // card slot on the short edge: centre from the front, width
tm1637 = [42, 24, 11];         // the TM1637 board with its display
digits = [30.4, 14.4];         // what is seen of it
lights = [60, 5];              // row of the LEDs
lights_from_back = 3.5;        // their centre, which is that of the header's two rows
stack = 13;                    // from the Pi's top to the Blinkt!'s LEDs

// How it is printed.
wall = 1.6;
floor_ = 1.6;
diffuser = 0.6;                // two or three layers of white let light through
gap = 0.3;                     // between parts that move against each other
slack = 0.5;                   // around the boards
standoff = 3;                  // room for the solder under the Pi
between = 2;                   // between the Pi and the module

// The latches: springs with a hook, which a fingernail between the halves opens again. Two stand
// in front, left and right of the module, one behind the Pi, between its connectors.
latch = [9, 1.2, 6];           // width, thickness, height above the tray's edge
hook = 0.8;

inner = [pi[0] + 2 * slack, pi[1] + between + tm1637[1] + 2 * slack + latch[1] + gap, standoff + pi[2] + stack];
outer = [inner[0] + 2 * wall, inner[1] + 2 * wall];
tray_height = 9;               // where tray and lid meet, from below
lid_height = floor_ + inner[2] + 1 - tray_height + wall;
front_latches = [wall + 1.5 + latch[0] / 2, outer[0] - wall - 1.5 - latch[0] / 2];
back_latch = outer[0] / 2 + 2;

corner = 3;
eps = 0.01;
$fn = 32;

module block(size) {
    linear_extrude(size[2])
        offset(corner) offset(-corner)
            square([size[0], size[1]]);
}

// The Pi's own corner, inside of the case.
pi_at = [wall + slack, wall + slack + tm1637[1] + between, floor_ + standoff];

module tray() {
    difference() {
        union() {
            difference() {
                block([outer[0], outer[1], tray_height]);
                translate([wall, wall, floor_]) cube([inner[0], inner[1], tray_height]);
            }
            pegs();
        }
        connectors();
    }
    for (x = front_latches) translate([x, wall, 0]) spring();
    translate([back_latch, outer[1] - wall, 0]) mirror([0, 1, 0]) spring();
}

module pegs() {
    for (x = [0, 1], y = [0, 1])
        translate([pi_at[0] + (pi[0] - pi_holes[0]) / 2 + x * pi_holes[0],
                   pi_at[1] + (pi[1] - pi_holes[1]) / 2 + y * pi_holes[1], floor_ - eps]) {
            cylinder(d = 5, h = standoff + eps);
            cylinder(d = pi_hole, h = standoff + pi[2] + 1);
        }
}

// The connectors of the long edge look to the back; USB needs room for the plug's sleeve.
module connectors() {
    z = pi_at[2] - 1;
    for (c = [usb[0], usb[1], hdmi])
        translate([pi_at[0] + pi[0] - c[0] - c[1] / 2, outer[1] - wall - 1, z])
            cube([c[1], wall + 2, tray_height]);
    translate([-1, pi_at[1] + pi[1] - sd[0] - sd[1] / 2, z - 1])
        cube([wall + 2, sd[1], 5]);
    // Air from below.
    for (i = [0:5])
        translate([outer[0] / 2 - 20 + i * 8, outer[1] / 2 - 8, -1]) cube([2, 16, floor_ + 2]);
}

// A latch at the inside of a wall, its foot melted into wall and floor.
module spring() {
    translate([-latch[0] / 2, -eps, floor_ - eps])
        cube([latch[0], latch[1] + eps, tray_height - floor_ + latch[2]]);
    translate([-latch[0] / 2, 0, tray_height + latch[2] - 2.5])
        rotate([90, 0, 90]) linear_extrude(latch[0])
            polygon([[eps, 0], [-hook, 0.9], [-hook, 1.4], [eps, 2.5]]);
}

module lid() {
    h = lid_height;
    difference() {
        block([outer[0], outer[1], h]);
        translate([wall, wall, -eps]) cube([inner[0], inner[1], h - wall + eps]);
        // The diffuser: the roof is thin over the LEDs, from inside.
        translate([outer[0] / 2 - lights[0] / 2, pi_at[1] + pi[1] - lights_from_back - lights[1] / 2, h - wall - eps])
            cube([lights[0], lights[1], wall - diffuser + eps]);
        // The digits look out.
        translate([outer[0] / 2 - digits[0] / 2, wall + slack + (tm1637[1] - digits[1]) / 2, h - wall - 1])
            cube([digits[0], digits[1], wall + 2]);
        // What the hooks catch.
        for (at = [[front_latches[0], wall - hook - gap], [front_latches[1], wall - hook - gap],
                   [back_latch, outer[1] - wall - eps]])
            translate([at[0] - latch[0] / 2 - gap, at[1], latch[2] - 2.5 - gap])
                cube([latch[0] + 2 * gap, hook + gap + eps, 2.5 + 2 * gap]);
    }
    // A frame that keeps the module in its place.
    translate([outer[0] / 2 - tm1637[0] / 2 - slack - wall, wall - eps, h - wall - 4]) frame();
}

module frame() {
    size = [tm1637[0] + 2 * slack, tm1637[1] + slack];
    difference() {
        cube([size[0] + 2 * wall, size[1] + wall + eps, 4 + eps]);
        translate([wall, -1, -1]) cube([size[0], size[1] + 1, 7]);
        // Wires leave towards the Pi.
        translate([wall + size[0] / 2 - 6, size[1] - 1, -1]) cube([12, wall + 3, 3]);
    }
}

// What goes in, roughly: enough to see where it sits.
module raspberry() {
    translate(pi_at) {
        color("seagreen") cube(pi);
        color("silver") {
            for (c = usb) translate([pi[0] - c[0] - 4, pi[1] - 5, pi[2]]) cube([8, 6, 2.6]);
            translate([pi[0] - hdmi[0] - 5.6, pi[1] - 7, pi[2]]) cube([11.2, 8, 3.2]);
            translate([-1, pi[1] - sd[0] - 6, pi[2]]) cube([11, 12, 1.4]);
        }
        color("black") translate([22, 8, pi[2]]) cube([12, 12, 1.2]);
        color("#222222") translate([pi[0] / 2 - 25.4, pi[1] - lights_from_back - 2.5, pi[2]]) cube([50.8, 5, 8.5]);
    }
}

module blinkt_board() {
    top = pi_at[2] + pi[2] + stack - 2;
    translate([outer[0] / 2 - 32.5, pi_at[1] + pi[1] - lights_from_back - 4.5, top - 1.6]) {
        color("#1a1a1a") cube([65, 9, 1.6]);
        for (i = [0:7]) translate([5 + i * 7.15, 2, 1.6]) {
            color("white") cube([5, 5, 1]);
            color(["red", "#444444", "blue", "#444444", "purple", "#444444", "lime", "#444444"][i])
                translate([1, 1, 1]) cube([3, 3, 0.6]);
        }
    }
}

module digits_board(z) {
    translate([outer[0] / 2 - tm1637[0] / 2, wall + slack, z]) {
        color("#1d4f91") cube([tm1637[0], tm1637[1], 1.6]);
        translate([(tm1637[0] - digits[0]) / 2, (tm1637[1] - digits[1]) / 2, 1.6]) {
            color("#111111") cube([digits[0], digits[1], 7]);
            for (i = [0:3]) translate([2 + i * 7 + (i > 1 ? 1 : 0), 2, 7]) color("red") eight();
        }
    }
}

// A digit of seven segments, 5 wide and 10.4 high.
module eight() {
    for (y = [0, 4.7, 9.4]) translate([0.6, y, 0]) cube([3.8, 1, 0.4]);
    for (x = [0, 4], y = [0.6, 5.3]) translate([x, y, 0]) cube([1, 4.5, 0.4]);
}

if (part == "tray") tray();
if (part == "lid") translate([0, outer[1], lid_height]) rotate([180, 0, 0]) lid();
if (part == "both" || part == "inside") {
    color("dimgray") tray();
    lift = tray_height + 22;
    if (part == "inside") {
        raspberry();
        blinkt_board();
        digits_board(lift + lid_height - wall - 8.6);
        color("white", 0.4) translate([0, 0, lift]) lid();
    } else {
        color("white") translate([0, 0, lift]) lid();
    }
}
