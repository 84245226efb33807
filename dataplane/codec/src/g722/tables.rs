//! The tables of ITU-T Recommendation G.722, under its own names.

/// Table 11: the 24 coefficients of both quadrature mirror filters, in pairs.
pub(super) static H: [[i32; 2]; 12] = [
    [3, -11],
    [-11, 53],
    [12, -156],
    [32, 362],
    [-210, -805],
    [951, 3876],
    [3876, 951],
    [-805, -210],
    [362, 32],
    [-156, 12],
    [53, -11],
    [-11, 3],
];

/// Table 14, Q6: the decision levels of the lower band's 60-level quantiser, without the first (zero).
pub(super) static Q6: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023, 1121, 1219,
    1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
];

/// Table 14, QM6: output levels of the lower band's 60-level inverse quantiser by its 6-bit code. The first four
/// codes are not sent in this mode; a transmission error makes them the smallest negative level.
pub(super) static QM6: [i32; 64] = [
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232, -9360,
    -8576, -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776, -2400, -2032, -1688,
    -1360, -1040, -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280, 11192, 10232, 9360, 8576, 7856,
    7192, 6576, 6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776, 2400, 2032, 1688, 1360, 1040, 728, 432, 136,
    -432, -136,
];

/// Table 14, QM4: output levels of the lower band's 15-level inverse quantiser, by which both sides adapt.
pub(super) static QM4: [i32; 16] =
    [0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584, 1200, 0];

/// Table 14, WL: what the lower band's logarithmic scale factor moves by, by the 15-level code (RL42 and WL in one).
pub(super) static WL: [i32; 16] =
    [-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60];

/// Table 15, QM2: output levels of the higher band's inverse quantiser.
pub(super) static QM2: [i32; 4] = [-7408, -1616, 7408, 1616];

/// Table 15, WH: what the higher band's logarithmic scale factor moves by, by its code (RH2 and WH in one).
pub(super) static WH: [i32; 4] = [798, -214, 798, -214];

/// Table 15, Q2: the decision level of the higher band's quantiser.
pub(super) const Q2: i32 = 564;

/// Table 13, ILB: the antilogarithm, 2048 times 2 to the power of n/32.
pub(super) static ILB: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834, 2896,
    2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];
