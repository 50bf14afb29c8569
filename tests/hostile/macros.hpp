// SPDX-License-Identifier: MIT
// Macros that real programs define before they include a library: names from the headers of C,
// Windows, Apple and X11, and from logging and numerics. Included once, before anything else.
// NOLINTBEGIN
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define I (__extension__ 1.0i)  // <complex.h>
#define small char              // Windows
#define near
#define far
#define interface struct
#define ERROR 0
#define OK 0
#define check(condition) ((condition) ? 0 : 1)  // Apple
#define verify(condition) ((condition) ? 0 : 1)
#define require(condition, label) \
  if (!(condition)) goto label
#define restrict __restrict
#define None 0  // X11
#define Status int
#define Bool int
#define True 1
#define False 0
#define DEBUG 1
#define LOG(text) text
#define CHECK(condition) (void)(condition)
#define PI 3.14159
#define EPS 1e-6
#define E 2.71828
#define P 0.5
// NOLINTEND
