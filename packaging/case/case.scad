// A case for a Raspberry Pi Zero with a Blinkt! on its header and a four-digit TM1637 module:
// two parts that snap together, without screws and glue.
//
//   part = "tray"    the Pi lies in it, the latches stand on it
//   part = "lid"     has the diffuser over the Blinkt! and the window for the digits
//   part = "both"    the case opened, for a picture
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

if (part == "tray") tray();
if (part == "lid") translate([0, outer[1], lid_height]) rotate([180, 0, 0]) lid();
if (part == "both") {
    color("dimgray") tray();
    color("white") translate([0, 0, tray_height + 22]) lid();
}
