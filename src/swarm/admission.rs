//! Admission: who may speak. Pure: frames and values in, a verdict out.
